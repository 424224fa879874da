import type { Allowance, ModelBill } from '@app/budgets';
import type { AppError } from '@app/common';
import type {
  FinishReason,
  ModelUsage,
  Outcome,
  RunEvent,
  Sampling,
  TaskReservation,
  Turn,
} from '@app/executor';
import type { EffectivePolicy } from '@app/permissions';

/** What a task asks for beyond a prompt. A list left out = what the tier gives; an empty one = none. */
export interface AgenticAsk {
  tools?: string[];
  agents?: string[];
  skills?: string[];
  maxTurns?: number;
  outputSchema?: Record<string, unknown>;
  /** The host folder that the run works in. It is the caller's to make and to remove. */
  workspaceDir: string;
  /** What `Runs.reserve` gave, if its folder was moved to `workspaceDir`. */
  reserved?: TaskReservation;
}

/** What a front door asks for. The prompt is data. */
export interface RunRequest {
  kind: 'completion' | 'task';
  prompt: string;
  /** The turns before the prompt; data as well. */
  history?: readonly Turn[];
  system?: string;
  /** A family or a full model id; `auto` is decided before. */
  model: string;
  sampling: Sampling;
  timeoutSeconds?: number;
  maxCostUsd?: number;
  metadata?: Record<string, unknown>;
  requestId?: string;
  /** Present for a task. */
  agentic?: AgenticAsk;
}

/** Milliseconds. `null` = did not come to that. */
export interface RunTiming {
  queue_ms: number;
  start_ms: number | null;
  first_token_ms: number | null;
  total_ms: number;
  warm: boolean;
}

/** How a run ended, settled. `failure` is what the caller is told when there is no answer. */
export interface RunResult {
  status: Outcome['status'];
  text: string;
  /** What fits the task's output schema. */
  structuredOutput?: unknown;
  finishReason: FinishReason | null;
  failure: AppError | null;
  usage: ModelBill[];
  /** `null` = not known. */
  costUsd: number | null;
  timing: RunTiming;
}

export type RunProgress =
  | Exclude<RunEvent, { type: 'ended' | 'usage' }>
  /** `costUsd`: of the whole run so far. */
  | { type: 'usage'; usage: ModelUsage; costUsd: number | null }
  | { type: 'ended'; result: RunResult };

/** A run that was admitted. Its events must be read to the end; `ended` comes once, last, after settlement. */
export interface Run {
  id: string;
  model: string;
  policy: EffectivePolicy;
  /** What the caller still has after it. */
  allowance: Allowance;
  events: AsyncIterable<RunProgress>;
}
