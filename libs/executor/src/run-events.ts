import type { ModelUsage } from './run-meter.js';

/** Why the text ends where it ends. */
export type FinishReason = 'stop' | 'length' | 'refusal' | 'budget_exceeded';

type FailureCode =
  | 'cli_crashed'
  | 'max_turns'
  | 'model_refused'
  | 'output_schema_failed'
  | 'workspace_full'
  | 'out_of_memory'
  | 'upstream_error'
  | 'upstream_overloaded'
  | 'upstream_rejected'
  | 'credential_unavailable';

/** What became of a run, computed from every signal and never from the CLI's word alone. */
export type Outcome = {
  /** All text that the model produced, also when the run did not succeed. */
  text: string;
  /** What the CLI believes the run cost, in USD; kept beside our own figure. `null` = it did not say. */
  cliCostUsd: number | null;
  /** What fits the task's output schema. */
  structuredOutput?: unknown;
} & (
  | { status: 'succeeded'; finishReason: FinishReason }
  | { status: 'budget_exceeded'; reason: string }
  | { status: 'cancelled' | 'timed_out' }
  | {
      status: 'failed';
      code: FailureCode;
      /** For the log only: may hold upstream text and paths. */
      cause: string;
      upstreamStatus?: number;
      retryAfterSeconds?: number;
    }
);

/** What the model does with its tools. */
export type ToolHappening =
  | { type: 'tool_call'; tool: string; arguments: Record<string, unknown> }
  | { type: 'tool_result'; tool: string; status: 'ok' | 'error'; result: string }
  | { type: 'agent_spawn'; spawned: string; reason: string }
  | { type: 'skill_invoke'; skill: string; input: string }
  | { type: 'permission_denied'; tool: string; item: string; rule: string; message: string };

/**
 * `agent` names the subagent that does it; absent = the task itself. A call is told before its result; one that
 * was denied has a `permission_denied` instead of a `tool_call`.
 */
export type ToolEvent = { toolUseId: string; agent?: string } & ToolHappening;

/** What happens during a run, in order. `warm`: its process was there before it. `ended` comes always, exactly once, last. */
export type RunEvent =
  | { type: 'started'; model: string; warm?: boolean }
  | { type: 'thinking' | 'token'; content: string }
  | ToolEvent
  | { type: 'retry'; attempt: number; upstreamStatus: number | null }
  | { type: 'usage'; usage: ModelUsage }
  | { type: 'ended'; outcome: Outcome };
