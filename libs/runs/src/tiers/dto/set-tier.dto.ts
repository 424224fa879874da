import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsIn, IsInt, IsNumber, IsString, ValidateIf } from 'class-validator';
import { MODEL_FAMILIES, type ModelFamily, Optional } from '@app/common';
import { type Entitlements, FILESYSTEMS, REACHES, type TierChanges } from '@app/permissions';

/** What shall be different in a tier; the rest stays as it is. */
export class SetTierDto {
  @ApiPropertyOptional({
    description: 'The tier whose limits it starts with; needed for one that does not exist yet.',
    example: 'enterprise',
  })
  @Optional()
  @IsString()
  from?: string;

  @ApiPropertyOptional({
    description: 'Names, or the word "all".',
    oneOf: [
      { type: 'string', enum: ['all'] },
      { type: 'array', items: { type: 'string' } },
    ],
    example: ['Read', 'Grep', 'Glob', 'Bash'],
  })
  @ValidateIf((_, value) => value !== undefined && value !== 'all')
  @IsArray()
  @IsString({ each: true })
  tools?: string[] | 'all';

  @ApiPropertyOptional({ enum: REACHES })
  @Optional()
  @IsIn(REACHES)
  agents?: Entitlements['agents'];

  @ApiPropertyOptional({ enum: REACHES })
  @Optional()
  @IsIn(REACHES)
  skills?: Entitlements['skills'];

  @ApiPropertyOptional({ enum: MODEL_FAMILIES, isArray: true })
  @Optional()
  @IsArray()
  @IsIn(MODEL_FAMILIES, { each: true })
  models?: ModelFamily[];

  @ApiPropertyOptional({ minimum: 1, maximum: 3600 })
  @Optional()
  @IsInt()
  default_timeout_seconds?: number;

  @ApiPropertyOptional({
    description: 'Also lowers a default that would be over it.',
    minimum: 1,
    maximum: 3600,
  })
  @Optional()
  @IsInt()
  max_timeout_seconds?: number;

  @ApiPropertyOptional({ minimum: 0.0001, maximum: 10_000 })
  @Optional()
  @IsNumber()
  max_cost_usd?: number;

  @ApiPropertyOptional({ minimum: 1, maximum: 1000 })
  @Optional()
  @IsInt()
  concurrent_runs?: number;

  @ApiPropertyOptional({ minimum: 1, maximum: 1_000_000, example: 5000 })
  @Optional()
  @IsInt()
  requests_per_minute?: number;

  @ApiPropertyOptional({ enum: FILESYSTEMS })
  @Optional()
  @IsIn(FILESYSTEMS)
  filesystem?: Entitlements['filesystem'];

  @ApiPropertyOptional({ minimum: 1_000_000, maximum: 1_000_000_000_000 })
  @Optional()
  @IsInt()
  workspace_bytes?: number;

  toChanges(): TierChanges {
    const { tools, agents, skills, models, filesystem } = this;
    return {
      ...{ tools, agents, skills, models, filesystem },
      defaultTimeoutSeconds: this.default_timeout_seconds,
      maxTimeoutSeconds: this.max_timeout_seconds,
      maxCostUsd: this.max_cost_usd,
      concurrentRuns: this.concurrent_runs,
      requestsPerMinute: this.requests_per_minute,
      workspaceBytes: this.workspace_bytes,
    };
  }
}
