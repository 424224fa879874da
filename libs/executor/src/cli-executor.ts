import type { RunEvent } from './run-events.js';
import type { RunSpec, TaskOutline } from './run-spec.js';
import type { TaskReservation } from './task-reservation.js';

/**
 * Runs the Claude Code CLI once and tells what happens. Guarantees: exactly one `ended` event, always last;
 * when the iterable is finished or abandoned no process, socket or folder of the run is left, except for a process
 * of the pool that has forgotten it.
 */
export abstract class CliExecutor {
  /** `signal` cancels; the run's own deadline is in the spec. Never throws for what the run itself does. */
  abstract run(spec: RunSpec, signal: AbortSignal): AsyncIterable<RunEvent>;

  /** A process that is ready for a task like this, for `agentic.reserved`. Undefined = the run will start one. */
  async reserve(_: TaskOutline): Promise<TaskReservation | undefined> {
    return undefined;
  }
}
