import type { RunEvent } from './run-events.js';
import type { AgenticSpec, RunSpec, WorkspaceDir } from './run-spec.js';

/** What is known of a task before it has its workspace. */
export interface TaskOutline extends Pick<RunSpec, 'model' | 'history'> {
  agentic: Omit<AgenticSpec, 'workspace' | 'reserved'> & { workspace: Omit<WorkspaceDir, 'dir'> };
}

/** A process that waits for one task in an empty folder of its own. */
export interface TaskReservation {
  /** Makes the folder the one of this path, where there must be none. False = there is none to be had. */
  moveTo(dir: string): Promise<boolean>;
  /** Nothing of it is needed any more. Harmless when the run has taken it. */
  end(): Promise<void>;
}

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
