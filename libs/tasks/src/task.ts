import type { EffectivePolicyDto, TokenUsage } from '@app/runs';

/** Queued and running come to an end; each of the others is one, for good. */
export const TASK_STATUSES = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
  'budget_exceeded',
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];
export type FinalStatus = Exclude<TaskStatus, 'queued' | 'running'>;

export const isFinished = (status: TaskStatus): status is FinalStatus =>
  status !== 'queued' && status !== 'running';

export const TASK_ID = /^task_[0-9a-f]{32}$/;

interface TaskResult {
  summary: string;
  output: string;
  structured_output: unknown;
  /** What the run left and is not among the artifacts, by reason. */
  skipped_files?: { reason: string; count: number }[];
}

export interface TaskError {
  type: string;
  code: string;
  message: string;
  details: Record<string, unknown>;
}

/** Milliseconds; `queue_ms` until a worker took the task. */
interface TaskTiming {
  queue_ms: number;
  start_ms: number | null;
  first_token_ms: number | null;
  total_ms: number;
  warm: boolean;
}

export interface TaskDenial {
  tool: string;
  item: string;
  rule: string;
  message: string;
}

/** A task as its row has it. */
export interface Task {
  id: string;
  project: string;
  key_id: string;
  tier: string;
  status: TaskStatus;
  description: string;
  model: string;
  workspace: string | null;
  metadata: Record<string, unknown> | null;
  effective_policy: EffectivePolicyDto;
  request_id: string | null;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  attempt: number;
  cancel_requested_at: Date | null;
  run_id: string | null;
  result: TaskResult | null;
  error: TaskError | null;
  usage: TokenUsage | null;
  /** Nano-dollars; int8 arrives as text. */
  cost_nano: string | null;
  timing: TaskTiming | null;
  denials: TaskDenial[];
}

/** What only the run needs: deleted when the task has ended. */
export interface TaskInput {
  context?: string;
  system?: string;
  tools?: string[];
  agents?: string[];
  skills?: string[];
  maxTurns?: number;
  outputSchema?: Record<string, unknown>;
  timeoutSeconds?: number;
  maxCostUsd?: number;
  files: { path: string; base64: string }[];
}

/** A task in the hands of one worker. What it writes counts only while `attempt` is the task's own. */
export interface Claim {
  id: string;
  attempt: number;
  project: string;
  key_id: string;
  description: string;
  model: string;
  workspace: string | null;
  metadata: Record<string, unknown> | null;
  request_id: string | null;
  /** The number of its last event. */
  last_seq: number;
  /** Milliseconds in the queue. */
  queue_ms: number;
}
