import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { BudgetsService } from '../budgets.service.js';
import { BudgetDto } from '../dto/budget.dto.js';
import { OwnUsageDto, UsageDto } from './dto/usage.dto.js';
import { UsageQueryDto } from './dto/usage-query.dto.js';
import { Usage } from './usage.service.js';

@ApiTags('self')
@Controller('v1/usage')
export class UsageController {
  constructor(
    private readonly usage: Usage,
    private readonly budgets: BudgetsService,
  ) {}

  @Get()
  @Requires('self:read')
  @ApiOperation({
    summary: 'What the project used',
    description: 'Exact up to this moment, of all runs that ended, each in the hour that it started in.',
  })
  @ApiOkResponse({ type: OwnUsageDto })
  async own(@Caller() principal: Principal, @Query() query: UsageQueryDto): Promise<OwnUsageDto> {
    const summary = await this.usage.own(principal, query.toQuestion());
    const budgets = await this.budgets.of(principal);
    return { ...UsageDto.from(summary), budgets: budgets.map((budget) => BudgetDto.from(budget)) };
  }
}
