import { ApiProperty } from '@nestjs/swagger';
import type { BudgetUnit } from '../allowance.js';
import { type Budget, PERIODS, type Period, type RunHold } from '../budget.js';
import { amountOf } from '../budget.errors.js';
import type { Page } from '../budgets.service.js';
import { nanoToUsd } from '../money.js';

const time = (description: string) =>
  ({ description, type: String, format: 'date-time', nullable: true, example: null }) as const;

/** Amounts are in the budget's unit. */
export class BudgetWindowDto {
  @ApiProperty(time('Null = since ever.'))
  starts_at: string | null;
  @ApiProperty(time('Null = it never resets.'))
  resets_at: string | null;
  @ApiProperty({ description: 'Beside the limit, in this window only.', example: 0 })
  granted: number;
  @ApiProperty({ description: 'By runs that are under way.', example: 0.02 })
  held: number;
  @ApiProperty({ example: 3.5 })
  settled: number;
  @ApiProperty({ description: 'What models reported above all that was held for it.', example: 0 })
  overrun: number;
  @ApiProperty({ example: 16.48 })
  remaining: number;
}

export class BudgetDto {
  @ApiProperty({ example: 'budget_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  @ApiProperty({ enum: ['budget'] })
  object: 'budget';
  @ApiProperty({ example: 'my-app' })
  project_id: string;
  @ApiProperty({ description: 'Null = the whole project.', type: String, nullable: true, example: null })
  key_id: string | null;
  @ApiProperty({ enum: ['usd', 'tokens', 'requests'] })
  unit: BudgetUnit;
  @ApiProperty({ example: 20 })
  limit: number;
  @ApiProperty({ enum: PERIODS })
  period: Period;
  @ApiProperty({ example: 'Europe/Berlin' })
  time_zone: string;
  @ApiProperty({ example: true })
  enabled: boolean;
  @ApiProperty({ format: 'date-time', example: '2026-11-21T09:00:00.000Z' })
  created_at: string;
  @ApiProperty({ type: BudgetWindowDto })
  window: BudgetWindowDto;

  static from(budget: Budget): BudgetDto {
    const { unit, window } = budget;
    const amount = (stored: bigint) => amountOf(unit, stored);
    return {
      id: budget.id,
      object: 'budget',
      project_id: budget.project,
      key_id: budget.keyId,
      unit,
      limit: amount(budget.limit),
      period: budget.period,
      time_zone: budget.timeZone,
      enabled: budget.enabled,
      created_at: budget.createdAt.toISOString(),
      window: {
        starts_at: window.startsAt?.toISOString() ?? null,
        resets_at: window.endsAt?.toISOString() ?? null,
        granted: amount(window.granted),
        held: amount(window.held),
        settled: amount(window.settled),
        overrun: amount(window.overrun),
        remaining: amount(window.remaining),
      },
    };
  }
}

export class BudgetListDto {
  @ApiProperty({ type: [BudgetDto] })
  data: BudgetDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: Page<Budget>): BudgetListDto {
    return {
      data: data.map((one) => BudgetDto.from(one)),
      has_more: nextCursor !== null,
      next_cursor: nextCursor,
    };
  }
}

export class HoldDto {
  @ApiProperty({ example: 'run_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  run_id: string;
  @ApiProperty({ example: 'my-app' })
  project_id: string;
  @ApiProperty({ example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  key_id: string;
  @ApiProperty({ enum: ['completion', 'task'] })
  kind: string;
  @ApiProperty({ example: 'claude-haiku-5-5' })
  model: string;
  @ApiProperty({ type: [String] })
  budgets: string[];
  @ApiProperty({ description: 'Observed, and reserved for model calls under way.', example: 0.02 })
  held_usd: number;
  @ApiProperty({ example: 5_400 })
  held_tokens: number;
  @ApiProperty({ description: 'Used for certain, as of its last model call.', example: 0.01 })
  observed_usd: number;
  @ApiProperty({ format: 'date-time', example: '2026-11-21T09:00:00.000Z' })
  started_at: string;
  @ApiProperty({
    description: 'When the run counts as lost unless its server is heard of.',
    format: 'date-time',
    example: '2026-11-21T09:01:00.000Z',
  })
  lease_until: string;

  static from(hold: RunHold): HoldDto {
    return {
      run_id: hold.runId,
      project_id: hold.project,
      key_id: hold.keyId,
      kind: hold.kind,
      model: hold.model,
      budgets: hold.budgets,
      held_usd: nanoToUsd(hold.heldNano),
      held_tokens: Number(hold.heldTokens),
      observed_usd: nanoToUsd(hold.observedNano),
      started_at: hold.startedAt.toISOString(),
      lease_until: hold.leaseUntil.toISOString(),
    };
  }
}

export class HoldListDto {
  @ApiProperty({ type: [HoldDto] })
  data: HoldDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: Page<RunHold>): HoldListDto {
    return {
      data: data.map((one) => HoldDto.from(one)),
      has_more: nextCursor !== null,
      next_cursor: nextCursor,
    };
  }
}
