import { ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  IsArray,
  IsInt,
  IsNumber,
  IsPositive,
  IsString,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Optional } from '@app/common';
import type { PolicyQuestion } from '../policy-explanation.service.js';

const MOST_NAMES = 200;

export class ExplainPolicyDto {
  @ApiPropertyOptional({
    description: 'Whose request: an id (`key_…`) or a kid. This or `tier`.',
    example: '7Kd02mXq9LpR',
  })
  @Optional()
  @IsString()
  key?: string;

  @ApiPropertyOptional({ description: 'A key of this tier without grants. This or `key`.', example: 'pro' })
  @Optional()
  @IsString()
  tier?: string;

  @ApiPropertyOptional({
    description: 'Left out = what the tier gives; empty = none.',
    type: [String],
    example: ['Read', 'Bash'],
  })
  @Optional()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  allow_tools?: string[];

  @ApiPropertyOptional({
    description: 'Left out = what the key has; empty = none.',
    type: [String],
    example: ['security-auditor'],
  })
  @Optional()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  allow_agents?: string[];

  @ApiPropertyOptional({
    description: 'Left out = what the key has; empty = none.',
    type: [String],
    example: ['changelog'],
  })
  @Optional()
  @IsArray()
  @ArrayMaxSize(MOST_NAMES)
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  allow_skills?: string[];

  @ApiPropertyOptional({ default: 'auto', example: 'opus' })
  @Optional()
  @IsString()
  @MaxLength(100)
  model?: string;

  @ApiPropertyOptional({ minimum: 1, maximum: 3600, example: 300 })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(3600)
  timeout_seconds?: number;

  @ApiPropertyOptional({ description: 'In USD.', example: 0.5 })
  @Optional()
  @IsNumber()
  @IsPositive()
  @Max(10_000)
  max_cost_usd?: number;

  toQuestion(): PolicyQuestion {
    return {
      key: this.key,
      tier: this.tier,
      tools: this.allow_tools,
      agents: this.allow_agents,
      skills: this.allow_skills,
      model: this.model,
      timeoutSeconds: this.timeout_seconds,
      maxCostUsd: this.max_cost_usd,
    };
  }
}
