import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNumber,
  IsObject,
  IsPositive,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Optional } from '@app/common';

/** Something other than white space and invisible characters. */
export const VISIBLE = /[^\s\u200b-\u200d\u2060\ufeff]/u;

export class CreateCompletionDto {
  @ApiProperty({
    description: 'What to answer, 1 byte to 1 MiB. Data: no mention is expanded and no command runs.',
    example: 'Explain in two sentences what a mutex is.',
  })
  @IsString()
  @Matches(VISIBLE, { message: 'prompt must hold some text' })
  prompt: string;

  @ApiPropertyOptional({ description: 'Instructions for the model, up to 1 MiB.', example: 'Be brief.' })
  @Optional()
  @IsString()
  system?: string;

  @ApiPropertyOptional({
    description: '`haiku`, `sonnet`, `opus`, a full model id, or `auto`: chosen for the prompt.',
    default: 'auto',
    example: 'haiku',
  })
  @Optional()
  @IsString()
  @MaxLength(100)
  model?: string;

  @ApiPropertyOptional({ description: 'The most output tokens.', minimum: 1, maximum: 128_000, example: 200 })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(128_000)
  max_tokens?: number;

  @ApiPropertyOptional({ description: 'The most that this run may cost, in USD.', example: 0.05 })
  @Optional()
  @IsNumber()
  @IsPositive()
  @Max(10_000)
  max_cost_usd?: number;

  @ApiPropertyOptional({
    description: 'Seconds until the run is cut; default: the tier’s.',
    minimum: 1,
    maximum: 3600,
  })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(3600)
  timeout_seconds?: number;

  @ApiPropertyOptional({
    description: 'Up to 8 texts at which the answer ends.',
    type: [String],
    example: ['END'],
  })
  @Optional()
  @IsArray()
  @ArrayMaxSize(8)
  @IsString({ each: true })
  @MaxLength(256, { each: true })
  @Matches(/\S/, { each: true, message: 'each value in stop must hold a visible character' })
  stop?: string[];

  @ApiPropertyOptional({ minimum: 0, maximum: 1, example: 0.2 })
  @Optional()
  @IsNumber()
  @Min(0)
  @Max(1)
  temperature?: number;

  @ApiPropertyOptional({ minimum: 0, maximum: 1, description: 'Not together with `temperature`.' })
  @Optional()
  @IsNumber()
  @Min(0)
  @Max(1)
  top_p?: number;

  @ApiPropertyOptional({ description: 'Answer as server-sent events, token by token.', default: false })
  @Optional()
  @IsBoolean()
  stream?: boolean;

  @ApiPropertyOptional({
    description: 'Yours: kept with the run and given back. Up to 16 KiB.',
    type: Object,
    example: { ticket: 'A-17' },
  })
  @Optional()
  @IsObject()
  metadata?: Record<string, unknown>;
}
