import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { BudgetsService } from './budgets.service.js';
import { BudgetDto, BudgetListDto, HoldListDto } from './dto/budget.dto.js';
import { GrantBudgetDto, ListBudgetsDto, SetBudgetDto, UpdateBudgetDto } from './dto/set-budget.dto.js';

const BudgetId = () => ApiParam({ name: 'id', example: 'budget_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' });

@ApiTags('administration')
@Controller('v1/admin')
export class BudgetsController {
  constructor(private readonly budgets: BudgetsService) {}

  @Post('budgets')
  @Requires('budgets:write')
  @ApiOperation({
    summary: 'Set a budget',
    description: 'Each key and project has one per unit and period: setting it again changes its limit.',
  })
  @ApiCreatedResponse({ type: BudgetDto })
  async set(@Caller() principal: Principal, @Body() dto: SetBudgetDto): Promise<BudgetDto> {
    return BudgetDto.from(await this.budgets.set(principal, dto.toInput()));
  }

  @Get('budgets')
  @Requires('budgets:read')
  @ApiOperation({ summary: 'List budgets, newest first' })
  @ApiOkResponse({ type: BudgetListDto })
  async list(@Caller() principal: Principal, @Query() query: ListBudgetsDto): Promise<BudgetListDto> {
    const { project_id: project, limit, cursor } = query;
    return BudgetListDto.from(await this.budgets.list(principal, { project, limit, cursor }));
  }

  @Get('budgets/:id')
  @Requires('budgets:read')
  @ApiOperation({ summary: 'Show a budget and what is left of it' })
  @BudgetId()
  @ApiOkResponse({ type: BudgetDto })
  async show(@Caller() principal: Principal, @Param('id') id: string): Promise<BudgetDto> {
    return BudgetDto.from(await this.budgets.show(principal, id));
  }

  @Patch('budgets/:id')
  @Requires('budgets:write')
  @ApiOperation({ summary: 'Change a budget', description: 'What is left out stays as it is.' })
  @BudgetId()
  @ApiOkResponse({ type: BudgetDto })
  async update(
    @Caller() principal: Principal,
    @Param('id') id: string,
    @Body() dto: UpdateBudgetDto,
  ): Promise<BudgetDto> {
    return BudgetDto.from(await this.budgets.update(principal, id, dto.toInput()));
  }

  @Delete('budgets/:id')
  @HttpCode(200)
  @Requires('budgets:write')
  @ApiOperation({
    summary: 'Remove a budget',
    description: 'Runs that are under way keep to it to their end.',
  })
  @BudgetId()
  @ApiOkResponse({ type: BudgetDto })
  async remove(@Caller() principal: Principal, @Param('id') id: string): Promise<BudgetDto> {
    return BudgetDto.from(await this.budgets.remove(principal, id));
  }

  @Post('budgets/:id/grants')
  @Requires('budgets:write')
  @ApiOperation({ summary: 'Grant more', description: 'For the window of this moment, and no other.' })
  @BudgetId()
  @ApiCreatedResponse({ type: BudgetDto })
  async grant(
    @Caller() principal: Principal,
    @Param('id') id: string,
    @Body() dto: GrantBudgetDto,
  ): Promise<BudgetDto> {
    return BudgetDto.from(await this.budgets.grant(principal, id, dto));
  }

  @Get('holds')
  @Requires('budgets:read')
  @ApiOperation({ summary: 'List what running work holds of budgets, newest first' })
  @ApiOkResponse({ type: HoldListDto })
  async holds(@Caller() principal: Principal, @Query() query: ListBudgetsDto): Promise<HoldListDto> {
    const { project_id: project, limit, cursor } = query;
    return HoldListDto.from(await this.budgets.holds(principal, { project, limit, cursor }));
  }
}
