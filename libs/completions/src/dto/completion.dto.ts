import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export class CompletionUsageDto {
  @ApiProperty({ nullable: true, type: Number, example: 12 })
  input_tokens: number | null;
  @ApiProperty({ nullable: true, type: Number, example: 48 })
  output_tokens: number | null;
  @ApiProperty({ nullable: true, type: Number, example: 0 })
  cache_read_input_tokens: number | null;
  @ApiProperty({ nullable: true, type: Number, example: 0 })
  cache_creation_input_tokens: number | null;
  @ApiProperty({ nullable: true, type: Number, example: 60, description: 'The sum of all four.' })
  total_tokens: number | null;
}

export class CompletionTimingDto {
  @ApiProperty({ description: 'Milliseconds in the waiting line.', example: 0 })
  queue_ms: number;
  @ApiProperty({
    description: 'Milliseconds until the CLI was ready.',
    nullable: true,
    type: Number,
    example: 310,
  })
  start_ms: number | null;
  @ApiProperty({
    description: 'Milliseconds until the first token.',
    nullable: true,
    type: Number,
    example: 420,
  })
  first_token_ms: number | null;
  @ApiProperty({ example: 940 })
  total_ms: number;
  @ApiProperty({ description: 'Whether a started process was waiting for this run.', example: false })
  warm: boolean;
}

export class CompletionChoiceDto {
  @ApiProperty({ example: 0 })
  index: number;
  @ApiProperty({ example: 'A mutex lets one thread at a time into a section of code.' })
  text: string;
  @ApiProperty({ enum: ['stop', 'length', 'refusal', 'budget_exceeded', 'cancelled'] })
  finish_reason: string;
}

export class RoutingDto {
  @ApiProperty({ example: 'haiku' })
  model: string;
  @ApiProperty({ type: [String], example: ['short question'] })
  reasons: string[];
}

/** One answer. Money in USD, times in milliseconds; what was not reported is null, never a guess. */
export class CompletionDto {
  @ApiProperty({ example: 'run_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  @ApiProperty({ enum: ['text_completion'] })
  object: 'text_completion';
  @ApiProperty({ description: 'Unix seconds.', example: 1_795_000_000 })
  created: number;
  @ApiProperty({ example: 'claude-haiku-5-5' })
  model: string;
  @ApiProperty({ example: 'A mutex lets one thread at a time into a section of code.' })
  content: string;
  @ApiProperty({ type: [CompletionChoiceDto] })
  choices: CompletionChoiceDto[];
  @ApiProperty({ type: CompletionUsageDto })
  usage: CompletionUsageDto;
  @ApiProperty({ nullable: true, type: Number, example: 0.0000252 })
  cost_usd: number | null;
  @ApiProperty({ type: CompletionTimingDto })
  timing: CompletionTimingDto;
  @ApiPropertyOptional({ type: RoutingDto, description: 'Only when `model` was `auto`.' })
  routing?: RoutingDto;
  @ApiProperty({ type: [String], description: 'What was asked for and could not be done as asked.' })
  warnings: string[];
  @ApiPropertyOptional({ type: Object })
  metadata?: Record<string, unknown>;
}
