import { Injectable, Logger } from '@nestjs/common';
import { type AbandonedRun, nanoToUsd, RunAccount, usdToNano } from '@app/budgets';
import { Clock, CURRENT_MODELS, type ModelFamily, newId, type Principal } from '@app/common';
import { type AgenticSpec, CliExecutor, type Outcome } from '@app/executor';
import type { EffectivePolicy } from '@app/permissions';
import { agenticSpec } from './agentic-spec.js';
import { LiveRuns, type StopReason } from './live-runs.js';
import { concurrencyLimited, RunBook } from './run-book.js';
import { runFailure, stopped } from './run-failure.js';
import { RunLine } from './run-line.js';
import { RunMeans } from './run-means.js';
import { RunPolicy, type RunRights } from './run-policy.js';
import { RunStopwatch } from './run-stopwatch.js';
import type { Run, RunProgress, RunRequest, RunResult } from './run.js';

/** A run that has its place and its row in the ledger. */
interface Admitted {
  id: string;
  model: string;
  principal: Principal;
  request: RunRequest;
  policy: EffectivePolicy;
  agentic?: AgenticSpec;
  stop: AbortController;
  watch: RunStopwatch;
  finish: () => void;
}

/**
 * The one path of every run, whatever door it came through: policy, admit, execute, meter, settle, record.
 * Refuses before anything is spent; once `start` has resolved, the run ends with exactly one outcome.
 */
@Injectable()
export class Runs {
  private readonly logger = new Logger(Runs.name);

  constructor(
    private readonly policy: RunPolicy,
    private readonly means: RunMeans,
    private readonly executor: CliExecutor,
    private readonly line: RunLine,
    private readonly live: LiveRuns,
    private readonly book: RunBook,
    private readonly clock: Clock,
  ) {}

  /**
   * May this run at all, and with what? For work that waits before it starts: nothing is opened or spent. Throws
   * what refuses it, and a denial is audited.
   */
  async authorise(principal: Principal, request: RunRequest): Promise<EffectivePolicy> {
    const { policy } = await this.rights(principal, request);
    return policy;
  }

  /** Ends, in the caller's transaction, a run whose process was lost. Nothing of what it used is known. */
  abandon(run: AbandonedRun): Promise<void> {
    return this.book.abandon(run);
  }

  /** Throws `AppError` before anything is spent. `signal` = the caller went away. */
  async start(principal: Principal, request: RunRequest, signal: AbortSignal): Promise<Run> {
    const rights = await this.rights(principal, request);
    const { policy } = rights;
    if (this.live.countOf(principal.keyId) >= policy.concurrentRuns)
      throw concurrencyLimited(policy.concurrentRuns);
    const id = newId('run');
    const stop = new AbortController();
    const forget = this.live.add({ keyId: principal.keyId, stop: (reason) => stop.abort(reason) });
    const onGone = () => stop.abort('client_gone' satisfies StopReason);
    signal.addEventListener('abort', onGone, { once: true });
    if (signal.aborted) onGone();
    const watch = new RunStopwatch(this.clock);
    let leave: (() => void) | undefined;
    const finish = () => {
      signal.removeEventListener('abort', onGone);
      leave?.();
      forget();
    };
    try {
      // A task has waited in its queue for one of its worker's places.
      if (request.kind === 'completion') leave = await this.line.enter(principal.keyId, stop.signal);
      watch.admitted();
      const model = CURRENT_MODELS[request.model as ModelFamily] ?? request.model;
      await this.book.open(principal, {
        runId: id,
        concurrentRuns: policy.concurrentRuns,
        kind: request.kind,
        model,
        requestId: request.requestId,
        metadata: request.metadata,
        maxCostNano: usdToNano(policy.maxCostUsd),
      });
      const agentic = agenticSpec(rights, request.agentic);
      const run = { id, model, principal, request, policy, agentic, stop, watch, finish };
      return { id, model, policy, events: this.execute(run) };
    } catch (error) {
      finish();
      throw stop.signal.aborted ? stopped(stop.signal.reason as StopReason) : error;
    }
  }

  private async rights(principal: Principal, request: RunRequest): Promise<RunRights> {
    this.means.require(request.kind);
    const rights = await this.policy.for(principal, request);
    if (rights.refusals.length > 0) await this.book.refuse(principal, request, rights.refusals);
    return rights;
  }

  private async *execute(run: Admitted): AsyncGenerator<RunProgress> {
    const account = new RunAccount(usdToNano(run.policy.maxCostUsd));
    const spec = {
      runId: run.id,
      prompt: run.request.prompt,
      history: run.request.history,
      system: run.request.system,
      model: run.model,
      sampling: run.request.sampling,
      limits: { deadlineMs: run.policy.timeoutSeconds * 1000 },
      meter: account,
      agentic: run.agentic,
    };
    let outcome: Outcome = { status: 'cancelled', text: '', cliCostUsd: null };
    let result: RunResult;
    try {
      for await (const event of this.executor.run(spec, run.stop.signal)) {
        if (event.type === 'ended') {
          outcome = event.outcome;
          break;
        }
        run.watch.saw(event);
        yield event.type === 'usage' ? { ...event, costUsd: costUsdOf(account) } : event;
      }
    } catch (error) {
      outcome = { status: 'failed', code: 'cli_crashed', cause: String(error), text: '', cliCostUsd: null };
    } finally {
      // Also for a reader that stopped before the end: a run never keeps its place or its row open.
      result = this.resultOf(run, outcome, account);
      await this.settle(run, outcome, account, result);
      run.finish();
    }
    yield { type: 'ended', result };
  }

  private async settle(
    run: Admitted,
    outcome: Outcome,
    account: RunAccount,
    result: RunResult,
  ): Promise<void> {
    if (result.failure?.cause) this.logger.warn({ msg: 'run failed', runId: run.id, err: result.failure });
    await this.book.end(run.principal, run.id, {
      outcome: outcome.status,
      errorCode: result.failure?.code,
      finishReason: result.finishReason ?? undefined,
      usage: account.usage,
      costNano: account.costNano,
      cliCostNano: outcome.cliCostUsd === null ? null : usdToNano(outcome.cliCostUsd),
      overrunNano: account.overrunNano,
      timing: { ...result.timing },
    });
  }

  private resultOf(run: Admitted, outcome: Outcome, account: RunAccount): RunResult {
    const stoppedBy = run.stop.signal.aborted ? (run.stop.signal.reason as StopReason) : null;
    return {
      status: outcome.status,
      text: outcome.text,
      structuredOutput: outcome.structuredOutput,
      finishReason: outcome.status === 'succeeded' ? outcome.finishReason : null,
      failure: runFailure(outcome, stoppedBy, run.policy.timeoutSeconds),
      usage: account.usage,
      costUsd: costUsdOf(account),
      timing: run.watch.timing(),
    };
  }
}

function costUsdOf({ costNano }: RunAccount): number | null {
  return costNano === null ? null : nanoToUsd(costNano);
}
