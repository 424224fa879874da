import { Injectable, Logger } from '@nestjs/common';
import { BoundRun } from '../broker/bound-run.js';
import { CliExecutor } from '../cli-executor.js';
import type { RunEvent } from '../run-events.js';
import type { RunSpec, TaskOutline } from '../run-spec.js';
import type { TaskReservation } from '../task-reservation.js';
import { CliAttempt, type StartSession } from './cli-attempt.js';
import { ColdSessions } from './cold-sessions.js';
import { outcomeOf } from './outcome.js';
import { PooledTasks } from './pooled-tasks.js';
import { PooledSessions } from './pooled-sessions.js';

type WhyStopped = 'cancelled' | 'timed_out';

/** A run that left the pool may lose another process: to whoever kills them. */
const RESCUES = 2;

/**
 * The real executor: a process of the Claude Code CLI at work on each run, through the official Agent SDK, in a
 * throw-away home, speaking to the model only through the broker. The process comes from the pool or is started
 * for the run; what the pool cannot serve is served by a new one.
 */
@Injectable()
export class ClaudeCliExecutor extends CliExecutor {
  private readonly logger = new Logger(ClaudeCliExecutor.name);

  constructor(
    private readonly cold: ColdSessions,
    private readonly pooled: PooledSessions,
    private readonly tasks: PooledTasks,
  ) {
    super();
  }

  override async reserve(outline: TaskOutline): Promise<TaskReservation | undefined> {
    try {
      return await this.tasks.reserve(outline);
    } catch (error) {
      this.logger.warn({ msg: 'no process could be reserved', err: error });
      return undefined;
    }
  }

  override async *run(spec: RunSpec, signal: AbortSignal): AsyncGenerator<RunEvent> {
    // Composed signals and timeouts of the platform stay until the garbage is collected: a long time, for thousands.
    const stop = new AbortController();
    const cancel = () => stop.abort('cancelled' satisfies WhyStopped);
    const late = setTimeout(() => stop.abort('timed_out' satisfies WhyStopped), spec.limits.deadlineMs);
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      yield* this.runUntil(stop.signal, spec);
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', cancel);
    }
  }

  private async *runUntil(stop: AbortSignal, spec: RunSpec): AsyncGenerator<RunEvent> {
    let attempt = new CliAttempt(spec, stop);
    const pooled = this.poolFor(spec, stop);
    yield* attempt.events(pooled ?? ((trail) => this.cold.start(spec, trail)));
    for (let times = 0; pooled && times < RESCUES && attempt.isLost && !stop.aborted; times += 1) {
      this.tellOfRescue(spec, attempt);
      attempt = new CliAttempt(spec, stop, attempt.hasStarted);
      yield* attempt.events((trail) => this.cold.start(spec, trail));
    }
    const outcome = outcomeOf({
      ...{ report: attempt.report, broker: attempt.bound ?? new BoundRun(spec), exceeded: attempt.exceeded },
      ...{ isTask: spec.agentic !== undefined, outputWanted: spec.agentic?.outputSchema !== undefined },
      stoppedBy: stop.aborted ? (stop.reason as WhyStopped) : null,
    });
    yield { type: 'ended', outcome };
  }

  private poolFor(spec: RunSpec, stop: AbortSignal): StartSession | undefined {
    if (this.pooled.canServe(spec)) return () => this.pooled.start(spec, stop);
    if (spec.agentic?.reserved) return (trail) => this.tasks.start(spec, trail);
    return undefined;
  }

  /** Without a cause the pool had no process for the run, after all. */
  private tellOfRescue({ runId }: RunSpec, { report, bound }: CliAttempt): void {
    const cause = report.trouble || bound?.refusal?.message;
    if (!cause) return;
    this.pooled.rescued();
    this.logger.warn({ msg: 'a process was lost and its run started anew', runId, cause });
  }
}
