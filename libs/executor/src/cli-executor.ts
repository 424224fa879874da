import type { RunEvent } from './run-events.js';
import type { RunSpec } from './run-spec.js';

/**
 * Runs the Claude Code CLI once and tells what happens. Guarantees: exactly one `ended` event, always last;
 * when the iterable is finished or abandoned no process, socket or folder of the run is left.
 */
export abstract class CliExecutor {
  /** `signal` cancels; the run's own deadline is in the spec. Never throws for what the run itself does. */
  abstract run(spec: RunSpec, signal: AbortSignal): AsyncIterable<RunEvent>;
}
