import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Matches, Max, Min } from 'class-validator';
import { Optional } from '@app/common';
import {
  USAGE_GROUPS,
  USAGE_PERIODS,
  type UsageGroup,
  type UsagePeriod,
  type UsageQuestion,
  type UsageSpan,
} from '../usage-question.js';

const NAME = /^\P{Cc}{1,200}$/u;
const named = (field: string) => `${field} must be 1 to 200 characters, none of them a control character`;
const OWN_GROUPS = USAGE_GROUPS.filter((group) => group !== 'project');

/** Of when. */
class UsageSpanDto {
  @ApiPropertyOptional({ description: 'The one that is under way.', enum: USAGE_PERIODS, default: 'month' })
  @Optional()
  @IsIn(USAGE_PERIODS, { message: `period must be one of ${USAGE_PERIODS.join(', ')}` })
  period?: UsagePeriod;
  @ApiPropertyOptional({
    description: 'Instead of a period: a date or a time, not before it.',
    example: '2026-11-01',
  })
  @Optional()
  @IsString()
  from?: string;
  @ApiPropertyOptional({ description: 'Before it. Left out: until now.', example: '2026-12-01' })
  @Optional()
  @IsString()
  to?: string;
  @ApiPropertyOptional({ description: 'Where days begin.', example: 'Europe/Berlin', default: 'UTC' })
  @Optional()
  @IsString()
  time_zone?: string;

  toSpan(): UsageSpan {
    const { period, from, to, time_zone: timeZone } = this;
    return { period, from, to, timeZone };
  }
}

/** `GET /v1/usage`. */
export class UsageQueryDto extends UsageSpanDto {
  @ApiPropertyOptional({ enum: OWN_GROUPS, default: 'model' })
  @Optional()
  @IsIn(OWN_GROUPS, { message: `group_by must be one of ${OWN_GROUPS.join(', ')}` })
  group_by?: UsageGroup;

  toQuestion(): UsageQuestion {
    return { ...this.toSpan(), groupBy: this.group_by };
  }
}

/** Of whom; all that are given must hold. */
class ManagedSpanDto extends UsageSpanDto {
  @ApiPropertyOptional({ example: 'my-app' })
  @Optional()
  @Matches(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    message: 'project must be 1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first',
  })
  project?: string;
  @ApiPropertyOptional({ description: 'The id of a key.', example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  @Optional()
  @Matches(NAME, { message: named('key') })
  key?: string;
  @ApiPropertyOptional({ example: 'claude-haiku-5-5' })
  @Optional()
  @Matches(NAME, { message: named('model') })
  model?: string;

  toFilter() {
    const { project, key: keyId, model } = this;
    return { ...this.toSpan(), project, keyId, model };
  }
}

/** `GET /v1/admin/usage`. */
export class ManagedUsageQueryDto extends ManagedSpanDto {
  @ApiPropertyOptional({ enum: USAGE_GROUPS, default: 'project' })
  @Optional()
  @IsIn(USAGE_GROUPS, { message: `group_by must be one of ${USAGE_GROUPS.join(', ')}` })
  group_by?: UsageGroup;
  @ApiPropertyOptional({
    description: 'How many groups at most; the totals are of all.',
    default: 1000,
    minimum: 1,
    maximum: 1000,
    type: Number,
  })
  @Optional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;

  toQuestion(): UsageQuestion {
    return { ...this.toFilter(), groupBy: this.group_by ?? 'project', limit: this.limit };
  }
}

/** `GET /v1/admin/usage/export`. */
export class UsageExportDto extends ManagedSpanDto {
  @ApiPropertyOptional({ enum: ['jsonl', 'csv'], default: 'jsonl' })
  @Optional()
  @IsIn(['jsonl', 'csv'], { message: 'format must be jsonl or csv' })
  format?: 'jsonl' | 'csv';
}
