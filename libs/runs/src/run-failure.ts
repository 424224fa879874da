import { type BudgetRefusal, budgetExceeded } from '@app/budgets';
import { AppError } from '@app/common';
import { CredentialHealth, type Outcome } from '@app/executor';
import type { StopReason } from './live-runs.js';

interface FailureFacts {
  timeoutSeconds: number;
  /** The budget that stopped the run, if one did. */
  refusal: BudgetRefusal | null;
  /** Why its last model call could not be authorised at all. */
  trouble: unknown;
}

/** What a caller is told about a run that brought no answer; null for one that did. */
export function runFailure(
  outcome: Outcome,
  stoppedBy: StopReason | null,
  { timeoutSeconds, refusal, trouble }: FailureFacts,
): AppError | null {
  switch (outcome.status) {
    case 'succeeded':
      return null;
    case 'timed_out':
      return new AppError('deadline_exceeded', `no answer within timeout_seconds (${timeoutSeconds})`, {
        details: { timeout_seconds: timeoutSeconds },
      });
    case 'budget_exceeded':
      if (refusal) return budgetExceeded(refusal);
      return new AppError('budget_exceeded', `${outcome.reason}: raise max_cost_usd or shorten the request`);
    case 'cancelled':
      return stopped(stoppedBy);
    case 'failed':
      return trouble instanceof AppError ? trouble : failed(outcome);
  }
}

/** Why there is no answer when we ended the run, before or after it began. */
export function stopped(reason: StopReason | null): AppError {
  if (reason === 'client_gone') return new AppError('cancelled', 'the request was cancelled');
  if (reason === 'key_revoked') return new AppError('invalid_api_key', 'the API key was revoked');
  return new AppError('shutting_down', 'the service is shutting down: try again', { retryAfterSeconds: 5 });
}

function failed(outcome: Extract<Outcome, { status: 'failed' }>): AppError {
  const { upstreamStatus } = outcome;
  // Not its words: they may quote the request, and prompts have no place in a log.
  const cause = upstreamStatus === undefined ? outcome.cause : kindOfAnswer(upstreamStatus, outcome.cause);
  const details = upstreamStatus === undefined ? {} : { upstream_status: upstreamStatus };
  switch (outcome.code) {
    case 'credential_unavailable':
      return CredentialHealth.unavailable('refused', cause);
    case 'upstream_overloaded':
      return new AppError(
        'upstream_overloaded',
        'the model’s API is overloaded or limits our rate: try again',
        {
          details,
          retryAfterSeconds: outcome.retryAfterSeconds ?? 5,
          cause,
        },
      );
    case 'upstream_rejected':
      return new AppError(
        'invalid_request',
        `the model’s API refused the request: ${publicReason(outcome.cause)}`,
        { details, cause },
      );
    case 'upstream_error':
      return new AppError('upstream_error', 'the model’s API failed or could not be reached', {
        details,
        cause,
      });
    case 'max_turns':
      return new AppError('max_turns', 'the task took more turns than max_turns allows', { cause });
    case 'model_refused':
      return new AppError('model_refused', 'the model refused the task', { cause });
    case 'output_schema_failed':
      return new AppError('output_schema_failed', schemaProblem(cause), { cause });
    case 'workspace_full':
      return new AppError('workspace_full', 'the task wrote more than its workspace may hold', { cause });
    case 'out_of_memory':
      return new AppError('out_of_memory', 'the task used more memory than a run may have', { cause });
    case 'cli_crashed':
      return new AppError('cli_crashed', 'Claude Code ended without an answer', { cause });
  }
}

/** What is wrong with the caller's own schema, in the CLI's words. */
function schemaProblem(cause: string): string {
  const [, problem] = /not a valid JSON Schema: ([^\n]+)/.exec(cause) ?? [];
  if (problem === undefined) return 'no answer fitted output_schema';
  return `output_schema is not a valid JSON Schema: ${problem.slice(0, LONGEST_REASON)}`;
}

const LONGEST_REASON = 300;

/** The message of the API's own error envelope: it speaks of the caller's request. Anything else stays inside. */
function publicReason(cause: string): string {
  const { message } = errorIn(cause);
  return typeof message === 'string' ? message.slice(0, LONGEST_REASON) : 'no reason was given';
}

/** For the log: `the model’s API answered 400 (invalid_request_error)`. */
function kindOfAnswer(status: number, cause: string): string {
  const { type } = errorIn(cause);
  const isKind = typeof type === 'string' && /^[a-z_]{1,64}$/.test(type);
  return `the model’s API answered ${status}${isKind ? ` (${type})` : ''}`;
}

function errorIn(answer: string): { type?: unknown; message?: unknown } {
  try {
    const { error } = JSON.parse(answer) as { error?: object };
    return error ?? {};
  } catch {
    // Not the envelope: nothing of it is for anybody.
    return {};
  }
}
