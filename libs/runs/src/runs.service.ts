import { Injectable, Logger } from '@nestjs/common';
import { type OpenRun, type Allowance, nanoToUsd, type RunAccount, usdToNano } from '@app/budgets';
import { Clock, CURRENT_MODELS, type ModelFamily, newId, type Principal } from '@app/common';
import { type AgenticSpec, CliExecutor, type Outcome, type TaskReservation } from '@app/executor';
import type { EffectivePolicy } from '@app/permissions';
import { agenticSpec } from './agentic-spec.js';
import { LiveRuns, type StopReason } from './live-runs.js';
import { concurrencyLimited, RunAdmission } from './run-admission.js';
import { RunBook } from './run-book.js';
import { runFailure, stopped } from './run-failure.js';
import { RunGate } from './run-gate.js';
import { RunLine } from './run-line.js';
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
  account: RunAccount;
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
    private readonly gate: RunGate,
    private readonly admission: RunAdmission,
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
    const { policy } = await this.gate.rights(principal, request);
    return policy;
  }

  /**
   * A process that is ready for such a task and brings an empty folder along for its workspace. Refuses nothing: a
   * task that may not run is refused when it starts. Whoever has it ends it.
   */
  async reserve(principal: Principal, request: RunRequest): Promise<TaskReservation | undefined> {
    const rights = await this.gate.look(principal, request);
    const agentic = agenticSpec(rights, request.agentic);
    if (!agentic || rights.refusals.length > 0) return undefined;
    return this.executor.reserve({ model: modelIdOf(request), history: request.history, agentic });
  }

  /** Takes the rate of such work, when something is left of every budget. */
  accept(principal: Principal, policy: EffectivePolicy): Promise<Allowance> {
    return this.admission.accept(principal, policy.requestsPerMinute);
  }

  /** Ends, in the caller's transaction, a run whose process was lost. Nothing of what it used is known. */
  abandon(run: OpenRun): Promise<void> {
    return this.book.abandon(run);
  }

  /** Throws `AppError` before anything is spent. `signal` = the caller went away. */
  async start(principal: Principal, request: RunRequest, signal: AbortSignal): Promise<Run> {
    const rights = await this.gate.rights(principal, request);
    const { policy } = rights;
    const model = modelIdOf(request);
    const opening = openingOf(newId('run'), model, request, policy);
    this.admission.requireNotDenied(principal, opening);
    if (this.live.countOf(principal.keyId) >= policy.concurrentRuns)
      throw concurrencyLimited(policy.concurrentRuns);
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
      const { account, allowance } = await this.admission.open(principal, opening);
      const agentic = agenticSpec(rights, request.agentic);
      const id = opening.runId;
      const run = { id, model, principal, request, policy, agentic, account, stop, watch, finish };
      return { id, model, policy, allowance, events: this.execute(run) };
    } catch (error) {
      finish();
      throw stop.signal.aborted ? stopped(stop.signal.reason as StopReason) : error;
    }
  }

  private async *execute(run: Admitted): AsyncGenerator<RunProgress> {
    const { account } = run;
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
      recycleFor: run.principal.keyId,
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
      result = this.resultOf(run, outcome);
      await this.settle(run, outcome, result);
      run.finish();
    }
    yield { type: 'ended', result };
  }

  private async settle(run: Admitted, outcome: Outcome, result: RunResult): Promise<void> {
    const { account } = run;
    if (result.failure?.cause) this.logger.warn({ msg: 'run failed', runId: run.id, err: result.failure });
    await this.book.end(run.principal, run.id, {
      outcome: outcome.status,
      errorCode: result.failure?.code,
      finishReason: result.finishReason ?? undefined,
      usage: account.usage,
      costNano: account.costNano,
      cliCostNano: outcome.cliCostUsd === null ? null : usdToNano(outcome.cliCostUsd),
      overrunNano: account.overrunNano,
      used: account.used,
      timing: { ...result.timing },
    });
  }

  private resultOf(run: Admitted, outcome: Outcome): RunResult {
    const { account } = run;
    const { timeoutSeconds } = run.policy;
    const stoppedBy = run.stop.signal.aborted ? (run.stop.signal.reason as StopReason) : null;
    return {
      status: outcome.status,
      text: outcome.text,
      structuredOutput: outcome.structuredOutput,
      finishReason: outcome.status === 'succeeded' ? outcome.finishReason : null,
      failure: runFailure(outcome, stoppedBy, {
        ...{ timeoutSeconds, refusal: account.refusal, trouble: account.trouble },
      }),
      usage: account.usage,
      costUsd: costUsdOf(account),
      timing: run.watch.timing(),
    };
  }
}

function modelIdOf({ model }: RunRequest): string {
  return CURRENT_MODELS[model as ModelFamily] ?? model;
}

/** Fewer tokens of output make no answer. */
const LEAST_TOKENS = 256;

function openingOf(runId: string, model: string, request: RunRequest, policy: EffectivePolicy) {
  const { kind, prompt, system, requestId, metadata, sampling } = request;
  return {
    ...{ runId, model, kind, requestId, metadata, concurrentRuns: policy.concurrentRuns },
    maxCostNano: usdToNano(policy.maxCostUsd),
    // That of a task was taken when it was submitted.
    requestsPerMinute: kind === 'completion' ? policy.requestsPerMinute : null,
    promptBytes: Buffer.byteLength(prompt) + Buffer.byteLength(system ?? ''),
    leastTokens: Math.min(LEAST_TOKENS, sampling.maxTokens ?? LEAST_TOKENS),
  };
}

function costUsdOf({ costNano }: RunAccount): number | null {
  return costNano === null ? null : nanoToUsd(costNano);
}
