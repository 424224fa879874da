import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { nanoToUsd } from '@app/budgets';
import { EffectivePolicyDto } from '@app/runs';
import type { Artifact } from '../artifacts/artifact.js';
import { ArtifactDto } from '../artifacts/dto/artifact.dto.js';
import { type Task, TASK_STATUSES, type TaskStatus } from '../task.js';

const time = (description: string) =>
  ({ description, type: String, format: 'date-time', nullable: true, example: null }) as const;
const count = { type: Number, nullable: true, example: 1200 } as const;

export class SkippedFilesDto {
  @ApiProperty({ example: 'too_large' })
  reason: string;
  @ApiProperty({ example: 1 })
  count: number;
}

export class TaskResultDto {
  @ApiProperty({ description: 'The beginning of `output`.', example: 'Found one SQL injection.' })
  summary: string;
  @ApiProperty({ description: 'All that the model said at last.', example: 'Found one SQL injection.' })
  output: string;
  @ApiProperty({ description: 'What fits `output_schema`.', nullable: true, type: Object, example: null })
  structured_output: unknown;
  @ApiPropertyOptional({
    description: 'What the task left and is not kept, by reason.',
    type: [SkippedFilesDto],
  })
  skipped_files?: SkippedFilesDto[];
}

export class TaskErrorDto {
  @ApiProperty({ example: 'timeout_error' })
  type: string;
  @ApiProperty({ example: 'deadline_exceeded' })
  code: string;
  @ApiProperty({ example: 'no answer within timeout_seconds (60)' })
  message: string;
  @ApiProperty({ type: Object, example: {} })
  details: Record<string, unknown>;
}

export class TaskUsageDto {
  @ApiProperty(count)
  input_tokens: number | null;
  @ApiProperty(count)
  output_tokens: number | null;
  @ApiProperty(count)
  cache_read_input_tokens: number | null;
  @ApiProperty(count)
  cache_creation_input_tokens: number | null;
  @ApiProperty({ ...count, description: 'The sum of all four.' })
  total_tokens: number | null;
}

export class TaskTimingDto {
  @ApiProperty({ description: 'Milliseconds in the queue.', example: 12 })
  queue_ms: number;
  @ApiProperty({
    description: 'Milliseconds until the CLI worked.',
    type: Number,
    nullable: true,
    example: 480,
  })
  start_ms: number | null;
  @ApiProperty({ type: Number, nullable: true, example: 910 })
  first_token_ms: number | null;
  @ApiProperty({ description: 'Milliseconds of the run.', example: 8200 })
  total_ms: number;
  @ApiProperty({ example: false })
  warm: boolean;
}

export class TaskDenialDto {
  @ApiProperty({ example: 'Bash' })
  tool: string;
  @ApiProperty({ description: 'What was asked for.', example: 'tool:Bash' })
  item: string;
  @ApiProperty({ description: 'Who refused it.', example: 'tier:free' })
  rule: string;
  @ApiProperty({ example: 'the tier free does not allow the tool Bash' })
  message: string;
}

/** A task. Money in USD, times in UTC; what is not known is null, never a guess. */
export class TaskDto {
  @ApiProperty({ example: 'task_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  /** For the operator only, who sees the tasks of all projects; no route tells it. */
  project_id?: string;
  @ApiProperty({ enum: ['task'] })
  object: 'task';
  @ApiProperty({ enum: TASK_STATUSES })
  status: TaskStatus;
  @ApiProperty({ example: 'Find the SQL injection in src.' })
  description: string;
  @ApiProperty({
    description: 'Chosen for `auto`; the full id from the start on.',
    example: 'claude-sonnet-5-5',
  })
  model: string;
  @ApiProperty({ type: String, nullable: true, example: 'website' })
  workspace: string | null;
  @ApiProperty({ type: Object, nullable: true, example: { ticket: 'A-17' } })
  metadata: Record<string, unknown> | null;
  @ApiProperty({ format: 'date-time', example: '2026-11-21T09:00:00.000Z' })
  created_at: string;
  @ApiProperty(time('When the CLI was seen to work.'))
  started_at: string | null;
  @ApiProperty(time('Null = not yet.'))
  finished_at: string | null;
  @ApiProperty({ type: TaskResultDto, nullable: true, description: 'Partial when the task did not succeed.' })
  result: TaskResultDto | null;
  @ApiProperty({ type: TaskErrorDto, nullable: true })
  error: TaskErrorDto | null;
  @ApiProperty({ type: TaskUsageDto, nullable: true })
  usage: TaskUsageDto | null;
  @ApiProperty({ type: Number, nullable: true, example: 0.0123 })
  cost_usd: number | null;
  @ApiPropertyOptional({
    description: 'Its events but `token` and `thinking`, up to 1,000. Not in lists.',
    type: 'array',
    items: { type: 'object', additionalProperties: true },
  })
  execution_log?: Record<string, unknown>[];
  @ApiPropertyOptional({ description: 'There are more events than `execution_log` shows.' })
  execution_log_truncated?: boolean;
  @ApiProperty({ type: [ArtifactDto] })
  artifacts: ArtifactDto[];
  @ApiProperty({ type: EffectivePolicyDto })
  effective_policy: EffectivePolicyDto;
  @ApiProperty({ type: [TaskDenialDto], description: 'What the model tried and was not allowed, up to 100.' })
  denials: TaskDenialDto[];
  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'While it waits: 1 = the next of its key.',
    example: null,
  })
  queue_position: number | null;
  @ApiProperty({ type: TaskTimingDto, nullable: true })
  timing: TaskTimingDto | null;

  static from(task: Task, artifacts: Artifact[], position: number | undefined): TaskDto {
    const { cost_nano: cost } = task;
    return {
      id: task.id,
      object: 'task',
      status: task.status,
      description: task.description,
      model: task.model,
      workspace: task.workspace,
      metadata: task.metadata,
      created_at: task.created_at.toISOString(),
      started_at: task.started_at?.toISOString() ?? null,
      finished_at: task.finished_at?.toISOString() ?? null,
      result: task.result,
      error: task.error,
      usage: task.usage,
      cost_usd: cost === null ? null : nanoToUsd(BigInt(cost)),
      artifacts: artifacts.map((artifact) => ArtifactDto.from(artifact)),
      effective_policy: task.effective_policy,
      denials: task.denials,
      queue_position: position ?? null,
      timing: task.timing,
    };
  }
}

export class TaskListDto {
  @ApiProperty({ type: [TaskDto] })
  data: TaskDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;
}

export class TaskEventsDto {
  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true } })
  data: Record<string, unknown>[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;
}
