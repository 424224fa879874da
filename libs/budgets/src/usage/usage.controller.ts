import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { UsageDto } from './dto/usage.dto.js';
import { UsageQueryDto } from './dto/usage-query.dto.js';
import { Usage } from './usage.service.js';

@ApiTags('self')
@Controller('v1/usage')
export class UsageController {
  constructor(private readonly usage: Usage) {}

  @Get()
  @Requires('self:read')
  @ApiOperation({
    summary: 'What the project used',
    description: 'Exact up to this moment, of all runs that ended, each in the hour that it started in.',
  })
  @ApiOkResponse({ type: UsageDto })
  async own(@Caller() principal: Principal, @Query() query: UsageQueryDto): Promise<UsageDto> {
    return UsageDto.from(await this.usage.own(principal, query.toQuestion()));
  }
}
