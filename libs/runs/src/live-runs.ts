import { Injectable } from '@nestjs/common';

/** Why we, and not the run itself, end it. */
export type StopReason = 'client_gone' | 'key_revoked' | 'shutting_down';

interface LiveRun {
  runId: string;
  keyId: string;
  stop: (reason: StopReason) => void;
}

/**
 * Every run of this process that waits or works: so that a revoked key's runs can be ended, a key's own can
 * be counted without a query, and a shutdown can wait for the last one.
 */
@Injectable()
export class LiveRuns {
  private readonly runs = new Set<LiveRun>();
  private waitingForNone: (() => void)[] = [];

  /** Returns what takes the run out again. */
  add(run: LiveRun): () => void {
    this.runs.add(run);
    return () => {
      this.runs.delete(run);
      if (this.runs.size > 0) return;
      for (const resolve of this.waitingForNone.splice(0)) resolve();
    };
  }

  countOf(keyId: string): number {
    let count = 0;
    for (const run of this.runs) count += run.keyId === keyId ? 1 : 0;
    return count;
  }

  get size(): number {
    return this.runs.size;
  }

  stopKey(keyId: string, reason: StopReason): void {
    for (const run of this.runs) if (run.keyId === keyId) run.stop(reason);
  }

  stopAll(reason: StopReason): void {
    for (const run of this.runs) run.stop(reason);
  }

  /** Resolves when no run is left, or after this time. */
  async none(withinMs: number): Promise<void> {
    if (this.runs.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.waitingForNone.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
