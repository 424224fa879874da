import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  Allow,
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsPositive,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { Optional } from '@app/common';

/** Something other than white space and invisible characters. */
const VISIBLE = /[^\s\u200b-\u200d\u2060\ufeff]/u;
const MOST_FILES = 200;

export class TaskFileDto {
  @ApiProperty({
    description: 'Relative, with slashes, up to 1,024 bytes; no `..`.',
    example: 'src/app.py',
  })
  @IsString()
  path: string;

  @ApiProperty({ example: 'print("hello")\n' })
  @IsString()
  content: string;

  @ApiPropertyOptional({ enum: ['utf8', 'base64'], default: 'utf8' })
  @Optional()
  @IsIn(['utf8', 'base64'])
  encoding?: 'utf8' | 'base64';
}

/** A list of names. Whether they exist, and are allowed, is said by the policy. */
const Names = (field: 'tools' | 'agents' | 'skills', example: string[]) => (target: object, key: string) => {
  const description = `The ${field} that the task may use; left out = those of the key, empty = none.`;
  for (const decorate of [
    ApiPropertyOptional({ description, type: [String], example }),
    Optional(),
    IsArray(),
    ArrayMaxSize(200),
    IsString({ each: true }),
    MaxLength(200, { each: true }),
  ])
    decorate(target, key);
};

export class CreateTaskDto {
  @ApiProperty({
    description: 'What to do, 1 byte to 1 MiB. Data: no mention is expanded and no command runs.',
    example: 'Find the SQL injection in src and write what you found to report.md.',
  })
  @IsString()
  @Matches(VISIBLE, { message: 'description must hold some text' })
  description: string;

  @Names('tools', ['Read', 'Grep', 'Bash'])
  allow_tools?: string[];

  @Names('agents', ['security-auditor'])
  allow_agents?: string[];

  @Names('skills', [])
  allow_skills?: string[];

  @ApiPropertyOptional({
    description: '`haiku`, `sonnet`, `opus`, a full model id, or `auto`: chosen for the description.',
    default: 'auto',
    example: 'sonnet',
  })
  @Optional()
  @IsString()
  @MaxLength(100)
  model?: string;

  @ApiPropertyOptional({
    description: 'Seconds that the run may take; default: the tier’s. Waiting in the queue does not count.',
    minimum: 1,
    maximum: 3600,
    example: 120,
  })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(3600)
  timeout_seconds?: number;

  @ApiPropertyOptional({ description: 'Another name of `timeout_seconds`.', minimum: 1, maximum: 3600 })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(3600)
  timeout?: number;

  @ApiPropertyOptional({
    description: 'The most that the run may cost, in USD; default: the tier’s.',
    example: 0.5,
  })
  @Optional()
  @IsNumber()
  @IsPositive()
  @Max(10_000)
  max_cost_usd?: number;

  @ApiPropertyOptional({ description: 'Another name of `max_cost_usd`.' })
  @Optional()
  @IsNumber()
  @IsPositive()
  @Max(10_000)
  max_cost?: number;

  @ApiPropertyOptional({
    description: 'How many times the model may act.',
    minimum: 1,
    maximum: 1000,
    example: 30,
  })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(1000)
  max_turns?: number;

  @ApiPropertyOptional({
    description: 'Put into the workspace before the run: up to 200 files and 8 MiB in all.',
    type: [TaskFileDto],
  })
  @Optional()
  @IsArray()
  @ArrayMaxSize(MOST_FILES)
  @ValidateNested({ each: true })
  @Type(() => TaskFileDto)
  files?: TaskFileDto[];

  @ApiPropertyOptional({
    description:
      'A workspace of the project that stays when the task has ended; one task at a time works in it. Left out = a throw-away one.',
    pattern: '^[a-z0-9][a-z0-9_-]{0,63}$',
    example: 'website',
  })
  @Optional()
  @IsString()
  @Matches(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    message: 'workspace must be 1 to 64 characters of a-z, 0-9, _ and -, not beginning with _ or -',
  })
  workspace?: string;

  @ApiPropertyOptional({
    description:
      'What the model should know: text, or an object. Stands before the description, up to 1 MiB.',
    oneOf: [{ type: 'string' }, { type: 'object', additionalProperties: true }],
    example: { ticket: 'A-17', branch: 'main' },
  })
  @Allow()
  context?: unknown;

  @ApiPropertyOptional({ description: 'Added to the instructions of the model, up to 1 MiB.' })
  @Optional()
  @IsString()
  system_prompt_append?: string;

  @ApiPropertyOptional({
    description: 'A JSON Schema, up to 64 KiB: `result.structured_output` fits it.',
    type: Object,
    example: { type: 'object', properties: { issues: { type: 'integer' } }, required: ['issues'] },
  })
  @Optional()
  @IsObject()
  output_schema?: Record<string, unknown>;

  @ApiPropertyOptional({
    description: 'Yours: kept with the task and given back. Up to 16 KiB.',
    type: Object,
    example: { ticket: 'A-17' },
  })
  @Optional()
  @IsObject()
  metadata?: Record<string, unknown>;
}

export class CreateTaskQueryDto {
  @ApiPropertyOptional({
    description: 'Answer when the task has ended, after 600 s at most. `Prefer: wait=N` says how long.',
    enum: ['true', 'false'],
    default: 'false',
  })
  @Optional()
  @IsIn(['true', 'false'])
  wait?: 'true' | 'false';
}
