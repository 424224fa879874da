import { ApiProperty } from '@nestjs/swagger';
import { MODEL_FAMILIES } from '@app/common';
import {
  type Entitlements,
  FILESYSTEMS,
  type KnownTier,
  REACHES,
  type Tier,
  type TierVersion,
} from '@app/permissions';
import type { TierHistory } from '../tier-administration.service.js';

const TOOLS = {
  description: 'Names, or the word "all".',
  oneOf: [
    { type: 'string', enum: ['all'] },
    { type: 'array', items: { type: 'string' } },
  ],
  example: ['Read', 'Grep', 'Glob'],
};
const ORIGIN = {
  version: {
    description: 'Goes up with each change; 0 = a default tier that was never changed.',
    example: 1,
  },
  createdAt: { description: 'Of this version.', type: String, format: 'date-time', nullable: true },
  createdBy: { description: 'The key that made this version.', type: String, nullable: true },
} as const;

/** What a class of keys may do at most. */
class EntitlementsDto {
  @ApiProperty(TOOLS)
  tools: Entitlements['tools'];
  @ApiProperty({ enum: REACHES })
  agents: Entitlements['agents'];
  @ApiProperty({ enum: REACHES })
  skills: Entitlements['skills'];
  @ApiProperty({ enum: MODEL_FAMILIES, isArray: true })
  models: Entitlements['models'];
  @ApiProperty({ example: 300 })
  default_timeout_seconds: number;
  @ApiProperty({ example: 300 })
  max_timeout_seconds: number;
  @ApiProperty({ description: 'Of one run.', example: 1 })
  max_cost_usd: number;
  @ApiProperty({ description: 'Of one key.', example: 3 })
  concurrent_runs: number;
  @ApiProperty({ description: 'Of one key.', example: 100 })
  requests_per_minute: number;
  @ApiProperty({ enum: FILESYSTEMS, description: 'Of the workspace.' })
  filesystem: Entitlements['filesystem'];
  @ApiProperty({ example: 100_000_000 })
  workspace_bytes: number;

  static of(entitlements: Entitlements): EntitlementsDto {
    const { tools, agents, skills, models, filesystem } = entitlements;
    return {
      ...{ tools, agents, skills, models },
      default_timeout_seconds: entitlements.defaultTimeoutSeconds,
      max_timeout_seconds: entitlements.maxTimeoutSeconds,
      max_cost_usd: entitlements.maxCostUsd,
      concurrent_runs: entitlements.concurrentRuns,
      requests_per_minute: entitlements.requestsPerMinute,
      filesystem,
      workspace_bytes: entitlements.workspaceBytes,
    };
  }
}

/** A tier as it is now. */
export class TierDto extends EntitlementsDto {
  @ApiProperty({ example: 'pro' })
  name: string;
  @ApiProperty(ORIGIN.version)
  version: number;
  @ApiProperty({ description: 'Comes with the service.' })
  is_default: boolean;
  @ApiProperty({ enum: ['none'] })
  network: Tier['network'];
  @ApiProperty(ORIGIN.createdAt)
  created_at: string | null;
  @ApiProperty(ORIGIN.createdBy)
  created_by: string | null;

  static from(tier: KnownTier): TierDto {
    const { name, version, isDefault, network, createdAt, createdBy } = tier;
    return {
      name,
      ...EntitlementsDto.of(tier),
      network,
      version,
      is_default: isDefault,
      created_at: createdAt?.toISOString() ?? null,
      created_by: createdBy,
    };
  }
}

class TierVersionDto {
  @ApiProperty(ORIGIN.version)
  version: number;
  @ApiProperty({
    description: 'Null = a default tier was reset, or the tier was removed.',
    type: EntitlementsDto,
    nullable: true,
  })
  entitlements: EntitlementsDto | null;
  @ApiProperty(ORIGIN.createdAt)
  created_at: string | null;
  @ApiProperty(ORIGIN.createdBy)
  created_by: string | null;

  static from({ version, entitlements, createdAt, createdBy }: TierVersion): TierVersionDto {
    return {
      version,
      entitlements: entitlements && EntitlementsDto.of(entitlements),
      created_at: createdAt?.toISOString() ?? null,
      created_by: createdBy,
    };
  }
}

/** A tier and its earlier states. */
export class TierHistoryDto extends TierDto {
  @ApiProperty({ description: 'Newest first, the last hundred.', type: [TierVersionDto] })
  versions: TierVersionDto[];

  static fromHistory({ tier, versions }: TierHistory): TierHistoryDto {
    return { ...TierDto.from(tier), versions: versions.map(TierVersionDto.from) };
  }
}

export class RemovedTierDto {
  @ApiProperty({ example: 'acme' })
  name: string;
  @ApiProperty({ enum: [true] })
  removed: true;
}

export class TierListDto {
  @ApiProperty({ type: [TierDto] })
  data: TierDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from(tiers: KnownTier[]): TierListDto {
    return { data: tiers.map(TierDto.from), has_more: false, next_cursor: null };
  }
}
