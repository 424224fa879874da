import type { ModelUsage } from './run-meter.js';

/** Why the text ends where it ends. */
export type FinishReason = 'stop' | 'length' | 'refusal' | 'budget_exceeded';

type FailureCode =
  'cli_crashed' | 'upstream_error' | 'upstream_overloaded' | 'upstream_rejected' | 'credential_unavailable';

/** What became of a run, computed from every signal and never from the CLI's word alone. */
export type Outcome = {
  /** All text that the model produced, also when the run did not succeed. */
  text: string;
  /** What the CLI believes the run cost, in USD; kept beside our own figure. `null` = it did not say. */
  cliCostUsd: number | null;
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

/** What happens during a run, in order. `ended` comes always, exactly once, last. */
export type RunEvent =
  | { type: 'started'; model: string }
  | { type: 'thinking' | 'token'; content: string }
  | { type: 'retry'; attempt: number; upstreamStatus: number | null }
  | { type: 'usage'; usage: ModelUsage }
  | { type: 'ended'; outcome: Outcome };
