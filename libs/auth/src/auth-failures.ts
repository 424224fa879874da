import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '@app/common';

const QUIET_MS = 60_000;

/** Counts refused keys and logs the count at most once a minute, so that a flood cannot fill the log. */
@Injectable()
export class AuthFailures {
  private readonly logger = new Logger(AuthFailures.name);
  private count = 0;
  private quietUntil = -Infinity;

  constructor(private readonly clock: Clock) {}

  add(): void {
    this.count += 1;
    const now = this.clock.monotonicMs();
    if (now < this.quietUntil) return;
    this.logger.warn(`${this.count} request(s) with a missing or invalid key since the last such line`);
    this.count = 0;
    this.quietUntil = now + QUIET_MS;
  }
}
