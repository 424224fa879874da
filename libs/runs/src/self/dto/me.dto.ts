import { ApiProperty } from '@nestjs/swagger';
import type { ApiKey } from '@app/auth';
import { BudgetDto } from '@app/budgets';
import { MODEL_FAMILIES, type ModelFamily, type Scope } from '@app/common';
import type { EffectivePolicy } from '@app/permissions';
import type { Standing } from '../self.service.js';

const TIME = { type: String, format: 'date-time' } as const;

class OwnKeyDto {
  @ApiProperty({ example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  @ApiProperty({ example: 'production' })
  name: string;
  @ApiProperty({ example: 'my-app' })
  project_id: string;
  @ApiProperty({ enum: ['inference', 'admin'] })
  kind: ApiKey['kind'];
  @ApiProperty({ example: 'pro' })
  tier: string;
  @ApiProperty(TIME)
  created_at: string;
  @ApiProperty({ description: 'Null = never.', ...TIME, nullable: true })
  expires_at: string | null;
}

/** What is left of the tier once the key has narrowed it. */
class LimitsDto {
  @ApiProperty({ type: [String], example: ['Read', 'Grep', 'Glob'] })
  tools: string[];
  @ApiProperty({ type: [String], example: ['security-auditor'] })
  agents: string[];
  @ApiProperty({ type: [String], example: [] })
  skills: string[];
  @ApiProperty({ enum: MODEL_FAMILIES, isArray: true })
  models: ModelFamily[];
  @ApiProperty({ example: 300 })
  default_timeout_seconds: number;
  @ApiProperty({ example: 300 })
  max_timeout_seconds: number;
  @ApiProperty({ description: 'Of one run.', example: 1 })
  max_cost_usd: number;
  @ApiProperty({ example: 3 })
  concurrent_runs: number;
  @ApiProperty({ example: 100 })
  requests_per_minute: number;
  @ApiProperty({ enum: ['none'] })
  network: EffectivePolicy['network'];
  @ApiProperty({ enum: ['none', 'read', 'write'], description: 'Of the workspace.' })
  filesystem: EffectivePolicy['filesystem'];
  @ApiProperty({ example: 100_000_000 })
  workspace_bytes: number;

  static from({ tier, policy }: NonNullable<Standing['limits']>): LimitsDto {
    const { tools, agents, skills, models, network, filesystem } = policy;
    return {
      ...{ tools, agents, skills, models },
      default_timeout_seconds: policy.timeoutSeconds,
      max_timeout_seconds: tier.maxTimeoutSeconds,
      max_cost_usd: policy.maxCostUsd,
      concurrent_runs: policy.concurrentRuns,
      requests_per_minute: policy.requestsPerMinute,
      ...{ network, filesystem },
      workspace_bytes: policy.workspaceBytes,
    };
  }
}

/** Who asks, and how far that gets them. */
export class MeDto {
  @ApiProperty()
  key: OwnKeyDto;
  @ApiProperty({ type: [String], example: ['completions:create', 'self:read'] })
  scopes: Scope[];
  @ApiProperty({
    description: 'Null for an administration key: it runs nothing.',
    type: LimitsDto,
    nullable: true,
  })
  limits: LimitsDto | null;
  @ApiProperty({
    description: 'What its runs pay from: its own and those of its project.',
    type: [BudgetDto],
  })
  budgets: BudgetDto[];

  static from({ key, limits, budgets }: Standing): MeDto {
    const { id, name, project, kind, tier, createdAt, expiresAt } = key;
    return {
      key: {
        ...{ id, name, project_id: project, kind, tier },
        created_at: createdAt.toISOString(),
        expires_at: expiresAt?.toISOString() ?? null,
      },
      scopes: [...key.scopes],
      limits: limits && LimitsDto.from(limits),
      budgets: budgets.map((budget) => BudgetDto.from(budget)),
    };
  }
}
