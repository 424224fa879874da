import { Clock } from '@app/common';

/** The system's time, moved by hand. */
export class MovableClock extends Clock {
  movedMs = 0;

  override now(): Date {
    return new Date(Date.now() + this.movedMs);
  }

  override monotonicMs(): number {
    return performance.now() + this.movedMs;
  }
}
