import { Body, Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { AppError, Caller, download, type Principal, Requires } from '@app/common';
import { AuditQuery } from './audit-query.service.js';
import { AuditVerification } from './audit-verification.service.js';
import { AuditPageDto, AuditVerdictDto } from './dto/audit.dto.js';
import { AuditExportDto, AuditProjectDto, AuditQueryDto } from './dto/audit-query.dto.js';
import { AuditExport } from './export/audit-export.service.js';

@ApiTags('administration')
@Controller('v1/admin/audit')
export class AuditController {
  constructor(
    private readonly query: AuditQuery,
    private readonly exports: AuditExport,
    private readonly verification: AuditVerification,
  ) {}

  @Get()
  @Requires('audit:read')
  @ApiOperation({ summary: 'What happened, newest first' })
  @ApiOkResponse({ type: AuditPageDto })
  async list(@Caller() principal: Principal, @Query() dto: AuditQueryDto): Promise<AuditPageDto> {
    return AuditPageDto.from(await this.query.list(principal, dto.toQuestion()));
  }

  @Get('export')
  @Requires('audit:read')
  @ApiOperation({
    summary: 'Whole chains, as a stream',
    description: '`claude-api audit verify FILE` checks it, without this server and without its database.',
  })
  @ApiOkResponse({
    description: 'One JSON value per line: a header, each chain with its checkpoints and events, an end.',
    content: {
      'application/jsonl': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  async export(
    @Caller() principal: Principal,
    @Query() { project, format = 'jsonl' }: AuditExportDto,
    @Res() response: Response,
  ): Promise<void> {
    // What is refused is refused before the first byte.
    const pieces = await this.exports.start(principal, { project, format });
    await download(response, { name: 'audit', format }, pieces);
  }

  @Post('verify')
  @HttpCode(200)
  @Requires('audit:read')
  @ApiOperation({
    summary: 'Check every link and checkpoint',
    description: 'Names the first event of each chain that is not as it was written.',
  })
  @ApiOkResponse({ type: AuditVerdictDto })
  async verify(
    @Caller() principal: Principal,
    @Body() { project }: AuditProjectDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AuditVerdictDto> {
    const gone = new AbortController();
    response.on('close', () => gone.abort(new AppError('request_timeout', 'nobody waits for the answer')));
    return AuditVerdictDto.from(await this.verification.verify(principal, { project, stop: gone.signal }));
  }
}
