import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { KeyChanges } from '@app/auth';
import { AppError } from '@app/common';

/** Why we, and not the run itself, end it. */
export type StopReason = 'client_gone' | 'key_revoked' | 'shutting_down';

interface LiveRun {
  keyId: string;
  stop: (reason: StopReason) => void;
}

/** How long running work may go on at shutdown, and then how long its end may take. */
const DRAIN_MS = 30_000;
const CUT_MS = 5_000;

/**
 * Every run of this process that waits or works. Ends those of a revoked key; at shutdown takes no new one,
 * lets the others finish for 30 s and then cuts them.
 */
@Injectable()
export class LiveRuns implements OnModuleInit, OnModuleDestroy {
  private readonly runs = new Set<LiveRun>();
  private readonly waitingForNone: (() => void)[] = [];
  private draining = false;

  constructor(private readonly keyChanges: KeyChanges) {}

  onModuleInit(): void {
    this.keyChanges.onChange(({ keyId, kind }) => {
      if (kind !== 'revoked') return;
      for (const run of this.runs) if (run.keyId === keyId) run.stop('key_revoked');
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.draining = true;
    await this.none(DRAIN_MS);
    for (const run of this.runs) run.stop('shutting_down');
    await this.none(CUT_MS);
  }

  /** Returns what takes the run out again. */
  add(run: LiveRun): () => void {
    if (this.draining) {
      throw new AppError('shutting_down', 'the service is shutting down', { retryAfterSeconds: 5 });
    }
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

  /** Resolves when no run is left, or after this time. */
  private async none(withinMs: number): Promise<void> {
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
