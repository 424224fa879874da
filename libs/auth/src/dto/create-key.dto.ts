import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString } from 'class-validator';
import { MODEL_FAMILIES, Optional } from '@app/common';
import type { CreateKeyInput } from '../key-input.js';

/** What a key may be given beyond, or below, its tier. */
export class KeyGrantsDto {
  @ApiPropertyOptional({
    description: 'Agents this key may use, where its tier asks for a grant.',
    example: ['reviewer'],
  })
  @Optional()
  @IsArray()
  @IsString({ each: true })
  allow_agents?: string[];

  @ApiPropertyOptional({
    description: 'Skills this key may use, where its tier asks for a grant.',
    example: ['pdf'],
  })
  @Optional()
  @IsArray()
  @IsString({ each: true })
  allow_skills?: string[];

  @ApiPropertyOptional({
    description: 'The only models this key may use; null = as the tier says.',
    enum: MODEL_FAMILIES,
    isArray: true,
    nullable: true,
    example: ['haiku', 'sonnet'],
  })
  @IsOptional()
  @IsArray()
  @IsIn(MODEL_FAMILIES, { each: true })
  models?: string[] | null;

  @ApiPropertyOptional({
    description: 'A lower rate than the tier has; null = as the tier says.',
    type: Number,
    nullable: true,
    minimum: 1,
    example: 60,
  })
  @IsOptional()
  @IsInt()
  requests_per_minute?: number | null;
}

export class CreateKeyDto extends KeyGrantsDto {
  @ApiPropertyOptional({
    description:
      'The project (tenant) the key belongs to; made by its first key. May be left out for an administration key.',
    example: 'my-app',
  })
  @Optional()
  @IsString()
  project_id?: string;

  @ApiPropertyOptional({ description: 'For people; up to 100 characters.', example: 'production' })
  @Optional()
  @IsString()
  name?: string;

  @ApiPropertyOptional({ description: 'The tier.', default: 'free', example: 'enterprise' })
  @Optional()
  @IsString()
  tier?: string;

  @ApiPropertyOptional({ description: 'Make an administration key; it cannot run a model.', default: false })
  @Optional()
  @IsBoolean()
  admin?: boolean;

  @ApiPropertyOptional({
    description: 'Seconds until the key expires; left out = never.',
    example: 2_592_000,
  })
  @Optional()
  @IsInt()
  expires_in_seconds?: number;

  toInput(): CreateKeyInput {
    return {
      project: this.project_id,
      name: this.name,
      tier: this.tier,
      admin: this.admin,
      expiresInSeconds: this.expires_in_seconds,
      ...grantsOf(this),
    };
  }
}

export function grantsOf(dto: KeyGrantsDto) {
  return {
    agents: dto.allow_agents,
    skills: dto.allow_skills,
    models: dto.models,
    requestsPerMinute: dto.requests_per_minute,
  };
}
