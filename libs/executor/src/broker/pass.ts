import type { BoundRun } from './bound-run.js';

/**
 * What the token of a process is good for: the run that the process serves now. Between runs nothing passes, and
 * whoever comes then is a stray: a process that calls for nobody is not trusted with another run.
 */
export class Pass {
  /** Somebody came with the token while no run was served. */
  hadStray = false;
  /** What to do with the process of a stray. */
  onStray: (() => void) | undefined;
  private run: BoundRun | undefined;

  /** Of a process that serves one run. */
  static of(run: BoundRun): Pass {
    const pass = new Pass();
    pass.serve(run);
    return pass;
  }

  serve(run: BoundRun): void {
    this.run = run;
  }

  /** The run that a caller with the token speaks for. */
  present(): BoundRun | undefined {
    if (!this.run) {
      this.hadStray = true;
      this.onStray?.();
    }
    return this.run;
  }

  /** No run any more. Waits until every call of the last one is metered. */
  async leave(): Promise<void> {
    const run = this.run;
    this.run = undefined;
    await run?.abort();
  }
}
