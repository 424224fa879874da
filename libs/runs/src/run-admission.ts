import { Injectable } from '@nestjs/common';
import {
  type Admission,
  type Allowance,
  budgetExceeded,
  Denials,
  rateLimited,
  type RunAccount,
  RunAccounts,
  RunLedger,
  type RunOpening,
} from '@app/budgets';
import { AppError, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import { RunBook } from './run-book.js';
import { RunMetrics } from './run-metrics.js';

type Opening = Omit<
  RunOpening,
  'project' | 'keyId' | 'epoch' | 'instance' | 'owner' | 'costKind' | 'first'
> & {
  promptBytes: number;
  /** Fewer tokens of output make no answer. */
  leastTokens: number;
};

/** What an admitted run pays from, and what its caller still has. */
interface Means {
  account: RunAccount;
  allowance: Allowance;
}

/**
 * Can they afford it, and how fast? Opens a run in the ledger, with its first hold and its audit event, or says why
 * not and leaves nothing behind. What was just denied for a while is denied again without a query.
 */
@Injectable()
export class RunAdmission {
  constructor(
    private readonly config: AppConfig,
    private readonly ledger: RunLedger,
    private readonly accounts: RunAccounts,
    private readonly denials: Denials,
    private readonly book: RunBook,
    private readonly metrics: RunMetrics,
  ) {}

  /** Throws what the caller is told when the run may not start; then nothing was opened. */
  async open(principal: Principal, run: Opening): Promise<Means> {
    const first = this.firstCall(run);
    const admission = await this.denials.watch(principal.keyId, () =>
      this.ledger.admit({
        ...run,
        first,
        project: principal.project,
        keyId: principal.keyId,
        epoch: principal.epoch,
        instance: this.config.instanceId,
        owner: this.book.owner,
        costKind: this.config.credential?.kind === 'oauth_token' ? 'notional' : 'billed',
      }),
    );
    if (admission.verdict !== 'admitted') this.metrics.refused(admission.verdict);
    const { budgeted, allowance } = required(admission, run.concurrentRuns);
    this.book.follow(run.runId);
    const account = this.accounts.open({ runId: run.runId, limitNano: run.maxCostNano, budgeted });
    return { account, allowance };
  }

  /** Takes the rate of work that will wait, when something is left of every budget. */
  async accept(principal: Principal, requestsPerMinute: number): Promise<Allowance> {
    const { project, keyId } = principal;
    this.denials.require(keyId, { rated: true, first: null });
    const admission = await this.denials.watch(keyId, () =>
      this.ledger.checkAllowance(project, keyId, requestsPerMinute),
    );
    return required(admission, 0).allowance;
  }

  /** Throws what was denied to this caller a moment ago and still stands, without a query. */
  requireNotDenied(principal: Principal, run: Opening): void {
    const rated = run.requestsPerMinute !== null;
    this.denials.require(principal.keyId, { rated, first: this.firstCall(run) });
  }

  /** The run's own limit may be lower still: that is for its first call to find out. */
  private firstCall({ model, promptBytes, leastTokens, maxCostNano }: Opening): RunOpening['first'] {
    const { nano, tokens } = this.accounts.firstCall(model, promptBytes, leastTokens);
    return { nano: nano < maxCostNano ? nano : maxCostNano, tokens };
  }
}

function required(admission: Admission, concurrentRuns: number): Extract<Admission, { verdict: 'admitted' }> {
  switch (admission.verdict) {
    case 'admitted':
      return admission;
    case 'key_ended':
      throw new AppError('invalid_api_key', 'the API key was revoked or has expired');
    case 'key_changed':
      throw keyChanged();
    case 'concurrency':
      throw concurrencyLimited(concurrentRuns);
    case 'rate':
      throw rateLimited(admission.rate, admission.retryAfterSeconds);
    case 'budget':
      throw budgetExceeded(admission.refusal);
  }
}

/** The key is good, but what we know of it is milliseconds old: the next try is verified anew. */
function keyChanged(): AppError {
  return new AppError('conflict', 'the API key was changed at this moment: send the request again', {
    retryAfterSeconds: 1,
  });
}

export function concurrencyLimited(limit: number): AppError {
  return new AppError(
    'concurrency_limited',
    `this key may have ${limit} run(s) at once: wait for one to end`,
    {
      details: { limit },
      retryAfterSeconds: 1,
    },
  );
}
