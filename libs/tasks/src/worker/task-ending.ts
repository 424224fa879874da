import { type AppError } from '@app/common';
import { usdToNano } from '@app/budgets';
import { type RunResult, tokenUsage } from '@app/runs';
import type { TaskEnding } from '../store/claims.repository.js';
import { taskError } from '../store/task-endings.js';
import type { FinalStatus } from '../task.js';
import type { Collection } from '../workspaces/workspace.js';
import { summaryOf } from './run-words.js';

/** What a finished run makes of its task. A partial result is kept, whatever the end. */
export function endingOf(
  run: RunResult,
  skipped: Collection['skipped'],
  facts: { cancelled: boolean; queueMs: number },
): TaskEnding {
  const { text, structuredOutput, failure, costUsd, timing } = run;
  const result = {
    summary: summaryOf(text),
    output: text,
    structured_output: structuredOutput ?? null,
    ...(skipped.length > 0 ? { skipped_files: skipped } : {}),
  };
  return {
    status: facts.cancelled ? 'cancelled' : statusOf(run.status, failure),
    error: failure && !facts.cancelled ? taskError(failure) : null,
    result: text === '' && structuredOutput === undefined && skipped.length === 0 ? null : result,
    usage: tokenUsage(run.usage),
    costNano: costUsd === null ? null : usdToNano(costUsd),
    timing: { ...timing, queue_ms: facts.queueMs },
  };
}

/** What ended before there was a run. */
export function failedBeforeStart(failure: AppError): TaskEnding {
  return { status: statusOf('failed', failure), error: taskError(failure) };
}

/** A run that we cut is the caller's doing only when its key was revoked. */
function statusOf(status: FinalStatus, failure: AppError | null): FinalStatus {
  if (failure?.code === 'invalid_api_key') return 'cancelled';
  if (failure?.code === 'budget_exceeded') return 'budget_exceeded';
  return failure?.code === 'shutting_down' ? 'failed' : status;
}
