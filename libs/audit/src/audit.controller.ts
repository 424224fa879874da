import { once } from 'node:events';
import { Body, Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { AppError, Caller, LONGEST_STALL_MS, type Principal, Requires } from '@app/common';
import { AuditQuery } from './audit-query.service.js';
import { AuditVerification } from './audit-verification.service.js';
import { AuditPageDto, AuditVerdictDto } from './dto/audit.dto.js';
import { AuditExportDto, AuditProjectDto, AuditQueryDto } from './dto/audit-query.dto.js';
import { AuditExport } from './export/audit-export.service.js';

const MEDIA_TYPES = { jsonl: 'application/jsonl; charset=utf-8', csv: 'text/csv; charset=utf-8' };

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
    const pieces = await this.exports.start(principal, { project, format });
    response.set({
      'content-type': MEDIA_TYPES[format],
      'content-disposition': `attachment; filename="audit.${format}"`,
      'cache-control': 'no-store',
    });
    for await (const piece of pieces) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
    response.end();
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

/** A reader that takes nothing for too long, or went away, ends the export. */
async function drained(response: Response): Promise<void> {
  const stalled = setTimeout(() => response.destroy(), LONGEST_STALL_MS);
  const over = new AbortController();
  await Promise.race(['drain', 'close'].map((event) => once(response, event, { signal: over.signal })));
  clearTimeout(stalled);
  over.abort();
}
