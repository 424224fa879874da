import type { Clock } from '@app/common';
import type { RunEvent } from '@app/executor';
import type { RunTiming } from './run.js';

/** Measures one run from its request on, in whole milliseconds of a clock that only goes forward. */
export class RunStopwatch {
  private readonly requestedAt: number;
  private admittedAt: number;
  private startMs: number | null = null;
  private firstTokenMs: number | null = null;
  private warm = false;

  constructor(private readonly clock: Clock) {
    this.requestedAt = clock.monotonicMs();
    this.admittedAt = this.requestedAt;
  }

  admitted(): void {
    this.admittedAt = this.clock.monotonicMs();
  }

  saw(event: RunEvent): void {
    if (event.type === 'started') {
      this.startMs = this.since(this.admittedAt);
      this.warm = event.warm === true;
    }
    if (event.type === 'token' && this.firstTokenMs === null)
      this.firstTokenMs = this.since(this.requestedAt);
  }

  timing(): RunTiming {
    return {
      queue_ms: Math.round(this.admittedAt - this.requestedAt),
      start_ms: this.startMs,
      first_token_ms: this.firstTokenMs,
      total_ms: this.since(this.requestedAt),
      warm: this.warm,
    };
  }

  private since(then: number): number {
    return Math.round(this.clock.monotonicMs() - then);
  }
}
