import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsISO8601, IsOptional, IsString } from 'class-validator';
import type { UpdateKeyInput } from '../key-input.js';
import { Optional } from '@app/common';
import { grantsOf, KeyGrantsDto } from './create-key.dto.js';

export class UpdateKeyDto extends KeyGrantsDto {
  @ApiPropertyOptional({ description: 'For people; up to 100 characters.', example: 'production' })
  @Optional()
  @IsString()
  name?: string;

  @ApiPropertyOptional({ description: 'The tier.', example: 'pro' })
  @Optional()
  @IsString()
  tier?: string;

  @ApiPropertyOptional({
    description: 'When the key stops working; null = never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: '2027-01-31T00:00:00Z',
  })
  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  expires_at?: string | null;

  toInput(): UpdateKeyInput {
    const expiresAt = this.expires_at ? new Date(this.expires_at) : (this.expires_at as null | undefined);
    return { name: this.name, tier: this.tier, expiresAt, ...grantsOf(this) };
  }
}
