import { setTimeout as sleep } from 'node:timers/promises';

const WAITS_MS = [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000];

/** How often something is tried again that may pass by itself: longer and longer waits, half a minute in all. */
export class Patience {
  private tries = 0;

  /** There was progress: counts from the beginning. */
  restore(): void {
    this.tries = 0;
  }

  /** Throws the failure when it was waited for often enough. */
  async wait(failure: Error, signal?: AbortSignal): Promise<void> {
    const ms = WAITS_MS[this.tries];
    if (ms === undefined) throw failure;
    this.tries += 1;
    await sleep(ms, undefined, { signal });
  }
}
