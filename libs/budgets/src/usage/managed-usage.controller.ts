import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Caller, download, type Principal, Requires } from '@app/common';
import { UsageDto } from './dto/usage.dto.js';
import { ManagedUsageQueryDto, UsageExportDto } from './dto/usage-query.dto.js';
import { UsageExport } from './usage-export.service.js';
import { Usage } from './usage.service.js';

@ApiTags('administration')
@Controller('v1/admin/usage')
export class ManagedUsageController {
  constructor(
    private readonly usage: Usage,
    private readonly exports: UsageExport,
  ) {}

  @Get()
  @Requires('usage:read')
  @ApiOperation({
    summary: 'What projects used',
    description: 'Of every project that the key manages, by project, key, model or day.',
  })
  @ApiOkResponse({ type: UsageDto })
  async summary(@Caller() principal: Principal, @Query() query: ManagedUsageQueryDto): Promise<UsageDto> {
    return UsageDto.from(await this.usage.managed(principal, query.toQuestion()));
  }

  @Get('export')
  @Requires('usage:read')
  @ApiOperation({
    summary: 'The ledger, as a stream',
    description: 'A line for each model of each run that ended, the oldest run first.',
  })
  @ApiOkResponse({
    description: 'One JSON value per line, or a table with a head.',
    content: {
      'application/jsonl': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  async export(
    @Caller() principal: Principal,
    @Query() query: UsageExportDto,
    @Res() response: Response,
  ): Promise<void> {
    const { format = 'jsonl' } = query;
    // What is refused is refused before the first byte.
    const pieces = await this.exports.start(principal, { ...query.toFilter(), format });
    await download(response, { name: 'usage', format }, pieces);
  }
}
