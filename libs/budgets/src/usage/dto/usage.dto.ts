import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { BudgetDto } from '../../dto/budget.dto.js';
import { nanoToUsd } from '../../money.js';
import { USAGE_GROUPS, USAGE_PERIODS, type UsageGroup, type UsagePeriod } from '../usage-question.js';
import type { UsageSummary } from '../usage.service.js';
import type { GroupedSums, UsageSums } from '../usage.repository.js';

const TOKENS = { nullable: true, type: Number } as const;

/** What a group used. Null = of none of its runs it is known. */
export class UsageGroupDto {
  @ApiPropertyOptional({ description: 'Grouped by model.', example: 'claude-haiku-5-5' })
  model?: string;
  @ApiPropertyOptional({ description: 'Grouped by day.', example: '2026-11-21' })
  day?: string;
  @ApiPropertyOptional({ description: 'Grouped by key.' })
  key_id?: string;
  @ApiPropertyOptional({ description: 'Grouped by project.' })
  project?: string;
  @ApiProperty({ description: 'That ended; each once, at the model that it was started with.' })
  runs: number;
  @ApiProperty({ description: 'Those that did not succeed.' })
  failed_runs: number;
  @ApiProperty({ description: 'Those whose cost nobody knows: it is in no sum.' })
  unknown_cost_runs: number;
  @ApiProperty()
  model_calls: number;
  @ApiProperty(TOKENS)
  input_tokens: number | null;
  @ApiProperty(TOKENS)
  output_tokens: number | null;
  @ApiProperty(TOKENS)
  cache_read_input_tokens: number | null;
  @ApiProperty(TOKENS)
  cache_creation_input_tokens: number | null;
  @ApiProperty(TOKENS)
  total_tokens: number | null;
  @ApiProperty({ nullable: true, type: Number })
  cost_usd: number | null;
  @ApiProperty({ description: 'What runs of a subscription would have cost by the price table.' })
  notional_cost_usd: number;
}

const NAMES = { model: 'model', day: 'day', key: 'key_id', project: 'project' } as const;

function amountsOf(sums: UsageSums): Omit<UsageGroupDto, (typeof NAMES)[UsageGroup]> {
  const isUnknown = Number(sums.unknown_cost_runs) > 0;
  const known = (parts: (string | null)[]): bigint | null => {
    const told = parts.filter((part) => part !== null);
    return told.length === 0 && isUnknown ? null : told.reduce((sum, part) => sum + BigInt(part), 0n);
  };
  const tokens = (...parts: (string | null)[]) => {
    const sum = known(parts);
    return sum === null ? null : Number(sum);
  };
  const written = [sums.cache_write_5m_tokens, sums.cache_write_1h_tokens];
  // A sum of what is billed is not unknown because there is only what is not.
  const billed = known([sums.billed_nano, sums.notional_nano === null ? null : '0']);
  return {
    runs: Number(sums.runs),
    failed_runs: Number(sums.failed_runs),
    unknown_cost_runs: Number(sums.unknown_cost_runs),
    model_calls: Number(sums.calls),
    input_tokens: tokens(sums.input_tokens),
    output_tokens: tokens(sums.output_tokens),
    cache_read_input_tokens: tokens(sums.cache_read_tokens),
    cache_creation_input_tokens: tokens(...written),
    total_tokens: tokens(sums.input_tokens, sums.output_tokens, sums.cache_read_tokens, ...written),
    cost_usd: billed === null ? null : nanoToUsd(billed),
    notional_cost_usd: nanoToUsd(BigInt(sums.notional_nano ?? 0)),
  };
}

export class UsageDto {
  @ApiProperty({ enum: USAGE_PERIODS, nullable: true, type: String })
  period: UsagePeriod | null;
  @ApiProperty({ format: 'date-time' })
  from: string;
  @ApiProperty({ description: 'Before it.', format: 'date-time' })
  to: string;
  @ApiProperty({ example: 'UTC' })
  time_zone: string;
  @ApiProperty({ enum: USAGE_GROUPS })
  group_by: UsageGroup;
  @ApiProperty({ description: 'Null = of no run it is known.', nullable: true, type: Number })
  total_cost_usd: number | null;
  @ApiProperty()
  total_notional_cost_usd: number;
  @ApiProperty({ nullable: true, type: Number })
  total_tokens: number | null;
  @ApiProperty()
  runs: number;
  @ApiProperty()
  failed_runs: number;
  @ApiProperty()
  unknown_cost_runs: number;
  @ApiProperty({ type: [UsageGroupDto] })
  data: UsageGroupDto[];
  @ApiProperty({ description: 'There are more groups than `limit`.' })
  has_more: boolean;

  static from(summary: UsageSummary): UsageDto {
    const { period, from, to, timeZone, groupBy, total, groups, hasMore } = summary;
    const { cost_usd, notional_cost_usd, total_tokens, runs, failed_runs, unknown_cost_runs } =
      amountsOf(total);
    return {
      period,
      from: from.toISOString(),
      to: to.toISOString(),
      time_zone: timeZone,
      group_by: groupBy,
      total_cost_usd: cost_usd,
      total_notional_cost_usd: notional_cost_usd,
      total_tokens,
      runs,
      failed_runs,
      unknown_cost_runs,
      data: groups.map((group) => groupOf(groupBy, group)),
      has_more: hasMore,
    };
  }
}

/** What the project used, and what its key may still use. */
export class OwnUsageDto extends UsageDto {
  @ApiProperty({ description: 'What this key is held to, as it is now.', type: [BudgetDto] })
  budgets: BudgetDto[];
}

function groupOf(by: UsageGroup, group: GroupedSums): UsageGroupDto {
  return { [NAMES[by]]: group.name, ...amountsOf(group) };
}
