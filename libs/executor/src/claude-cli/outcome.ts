import type { FinishReason, Outcome } from '../run-events.js';
import type { CliReport } from './cli-report.js';
import type { BoundRun, UpstreamFailure } from '../broker/bound-run.js';

/** Every signal about how a run ended. The CLI's `subtype: success` alone is not one of them: it lies. */
interface Signals {
  report: Pick<CliReport, 'text' | 'structuredOutput' | 'costUsd' | 'trouble' | 'last'>;
  broker: Pick<BoundRun, 'answered' | 'stopReason' | 'refusal' | 'failure' | 'lengthSetByMoney'>;
  /** Set when we ended the run ourselves. */
  stoppedBy: 'cancelled' | 'timed_out' | null;
  /** Set when the box took more than its limits, and was ended for it. */
  exceeded?: 'memory' | 'disk';
  isTask: boolean;
  outputWanted: boolean;
}

/** The one place that says how a run ended. */
export function outcomeOf(signals: Signals): Outcome {
  const { report, broker, stoppedBy } = signals;
  const kept = { text: report.text, cliCostUsd: report.costUsd };
  if (signals.isTask ? isDone(signals) : broker.answered) {
    const { structuredOutput } = report;
    return { ...kept, structuredOutput, status: 'succeeded', finishReason: finishReason(broker) };
  }
  if (signals.exceeded) {
    const code = signals.exceeded === 'disk' ? 'workspace_full' : 'out_of_memory';
    return { ...kept, status: 'failed', code, cause: report.trouble };
  }
  if (stoppedBy) return { ...kept, status: stoppedBy };
  if (broker.refusal?.kind === 'money') {
    return { ...kept, status: 'budget_exceeded', reason: broker.refusal.message };
  }
  if (broker.failure) return { ...kept, status: 'failed', ...upstreamFailure(broker.failure) };
  // No call at all, or a call that we would not forward: the CLI did something that is not a run.
  const cause = [broker.refusal?.message, report.trouble].filter(Boolean).join('; ');
  const code = signals.isTask ? ownFailure(signals) : 'cli_crashed';
  return { ...kept, status: 'failed', code, cause: cause || 'no model call was made' };
}

/** A task is done when the CLI says so without complaint and the model had the last word of its own will. */
function isDone({ report, broker, outputWanted }: Signals): boolean {
  if (report.last?.subtype !== 'success' || report.last.is_error) return false;
  if (outputWanted && report.structuredOutput === undefined) return false;
  return broker.answered && broker.stopReason !== 'refusal';
}

/** What the CLI says, and then ends, when the output schema is none. */
const NO_SCHEMA = 'not a valid JSON Schema';

/** Why the CLI gave up a task by its own rules. */
function ownFailure({ report, broker, outputWanted }: Signals) {
  if (outputWanted && report.trouble.includes(NO_SCHEMA)) return 'output_schema_failed';
  if (report.last?.subtype === 'error_max_turns') return 'max_turns';
  if (broker.stopReason === 'refusal') return 'model_refused';
  if (report.last?.subtype === 'error_max_structured_output_retries') return 'output_schema_failed';
  if (outputWanted && report.last?.subtype === 'success') return 'output_schema_failed';
  return 'cli_crashed';
}

function finishReason(broker: Signals['broker']): FinishReason {
  if (broker.stopReason === 'max_tokens') return broker.lengthSetByMoney ? 'budget_exceeded' : 'length';
  if (broker.stopReason === 'model_context_window_exceeded') return 'length';
  if (broker.stopReason === 'refusal') return 'refusal';
  return 'stop';
}

function upstreamFailure({ status, message, retryAfterSeconds }: UpstreamFailure) {
  const facts = { cause: message, upstreamStatus: status ?? undefined, retryAfterSeconds };
  if (status === 401 || status === 403) return { ...facts, code: 'credential_unavailable' as const };
  if (status === 429 || status === 529) return { ...facts, code: 'upstream_overloaded' as const };
  if (status !== null && status < 500) return { ...facts, code: 'upstream_rejected' as const };
  return { ...facts, code: 'upstream_error' as const };
}
