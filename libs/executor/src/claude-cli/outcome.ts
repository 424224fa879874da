import type { FinishReason, Outcome } from '../run-events.js';
import type { CliReport } from './cli-report.js';
import type { BoundRun, UpstreamFailure } from '../broker/bound-run.js';

/** Every signal about how a run ended. The CLI's `subtype: success` is not one of them: it lies. */
interface Signals {
  report: Pick<CliReport, 'text' | 'costUsd' | 'trouble'>;
  broker: Pick<BoundRun, 'answered' | 'stopReason' | 'refusal' | 'failure' | 'lengthSetByMoney'>;
  /** Set when we ended the run ourselves. */
  stoppedBy: 'cancelled' | 'timed_out' | null;
}

/** The one place that says how a run ended. */
export function outcomeOf({ report, broker, stoppedBy }: Signals): Outcome {
  const kept = { text: report.text, cliCostUsd: report.costUsd };
  if (broker.answered) return { ...kept, status: 'succeeded', finishReason: finishReason(broker) };
  if (stoppedBy) return { ...kept, status: stoppedBy };
  if (broker.refusal?.kind === 'money') {
    return { ...kept, status: 'budget_exceeded', reason: broker.refusal.message };
  }
  if (broker.failure) return { ...kept, status: 'failed', ...upstreamFailure(broker.failure) };
  // No call at all, or a call that we would not forward: the CLI did something that is not a run.
  const cause = [broker.refusal?.message, report.trouble].filter(Boolean).join('; ');
  return { ...kept, status: 'failed', code: 'cli_crashed', cause: cause || 'no model call was made' };
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
