import { Injectable, Logger } from '@nestjs/common';
import { BoundRun } from '../broker/bound-run.js';
import { CliExecutor } from '../cli-executor.js';
import type { RunEvent } from '../run-events.js';
import type { RunSpec, TaskOutline } from '../run-spec.js';
import type { TaskReservation } from '../task-reservation.js';
import { CliAttempt } from './cli-attempt.js';
import { ColdSessions } from './cold-sessions.js';
import { outcomeOf } from './outcome.js';
import { PooledTasks } from './pooled-tasks.js';
import { PooledSessions } from './pooled-sessions.js';

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
    const deadline = AbortSignal.timeout(spec.limits.deadlineMs);
    const stop = AbortSignal.any([signal, deadline]);
    let attempt = new CliAttempt(spec, stop);
    if (this.pooled.canServe(spec)) yield* attempt.events(() => this.pooled.start(spec));
    else if (spec.agentic?.reserved) yield* attempt.events((trail) => this.tasks.start(spec, trail));
    if (!stop.aborted && attempt.isLost) {
      const cause = attempt.report.trouble || attempt.bound?.refusal?.message;
      if (cause) {
        this.pooled.rescued();
        this.logger.warn({ msg: 'a run left the pool', runId: spec.runId, cause });
      }
      attempt = new CliAttempt(spec, stop, attempt.hasStarted);
      yield* attempt.events((trail) => this.cold.start(spec, trail));
    }
    const outcome = outcomeOf({
      ...{ report: attempt.report, broker: attempt.bound ?? new BoundRun(spec), exceeded: attempt.exceeded },
      ...{ isTask: spec.agentic !== undefined, outputWanted: spec.agentic?.outputSchema !== undefined },
      stoppedBy: whoStopped(signal, deadline),
    });
    yield { type: 'ended', outcome };
  }
}

function whoStopped(signal: AbortSignal, deadline: AbortSignal): 'cancelled' | 'timed_out' | null {
  if (signal.aborted) return 'cancelled';
  return deadline.aborted ? 'timed_out' : null;
}
