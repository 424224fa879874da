import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsNumber, IsString } from 'class-validator';
import { Optional, PageQueryDto } from '@app/common';
import { PERIODS, type Period } from '../budget.js';
import type { GrantInput, LimitInput, SetBudgetInput, UpdateBudgetInput } from '../budget-input.js';

class LimitDto {
  @ApiPropertyOptional({ description: 'One of the three limits.', example: 20 })
  @Optional()
  @IsNumber()
  limit_usd?: number;

  @ApiPropertyOptional({ description: 'Tokens of all classes.' })
  @Optional()
  @IsNumber()
  limit_tokens?: number;

  @ApiPropertyOptional({ description: 'Runs: completions and tasks.' })
  @Optional()
  @IsNumber()
  limit_requests?: number;

  limits(): LimitInput {
    return { limitUsd: this.limit_usd, limitTokens: this.limit_tokens, limitRequests: this.limit_requests };
  }
}

export class SetBudgetDto extends LimitDto {
  @ApiPropertyOptional({ description: 'A key’s id or kid; either this or `project_id`.' })
  @Optional()
  @IsString()
  key?: string;

  @ApiPropertyOptional({ description: 'For all keys of a project together.', example: 'my-app' })
  @Optional()
  @IsString()
  project_id?: string;

  @ApiProperty({ enum: PERIODS, example: 'month' })
  @IsIn(PERIODS)
  period: Period;

  @ApiPropertyOptional({
    description: 'Where its days begin and end.',
    default: 'UTC',
    example: 'Europe/Berlin',
  })
  @Optional()
  @IsString()
  time_zone?: string;

  toInput(): SetBudgetInput {
    const { key, project_id: project, period, time_zone: timeZone } = this;
    return { key, project, period, timeZone, ...this.limits() };
  }
}

export class UpdateBudgetDto extends LimitDto {
  @ApiPropertyOptional({ description: 'False = it holds nobody back for now.', example: true })
  @Optional()
  @IsBoolean()
  enabled?: boolean;

  toInput(): UpdateBudgetInput {
    return { enabled: this.enabled, ...this.limits() };
  }
}

export class GrantBudgetDto implements GrantInput {
  @ApiProperty({ description: 'In the budget’s unit.', example: 5 })
  @IsNumber()
  amount: number;

  @ApiPropertyOptional({ description: 'For people; up to 200 characters.', example: 'the demo on Friday' })
  @Optional()
  @IsString()
  reason?: string;
}

export class ListBudgetsDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only those of this project.', example: 'my-app' })
  @Optional()
  @IsString()
  project_id?: string;
}
