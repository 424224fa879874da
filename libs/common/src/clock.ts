/** The only source of time in libs: tests move it by hand. */
export abstract class Clock {
  abstract now(): Date;
  /** Milliseconds that only go forward; for durations and deadlines. */
  abstract monotonicMs(): number;
}

export class SystemClock extends Clock {
  override now(): Date {
    return new Date();
  }

  override monotonicMs(): number {
    return performance.now();
  }
}
