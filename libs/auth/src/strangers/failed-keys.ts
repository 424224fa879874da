import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { networkOf } from './network.js';
import { StrangerCounts } from './stranger-counts.js';
import { tooManyRequests } from './strangers.errors.js';

const MINUTE_MS = 60_000;

/**
 * Bounds how many keys that do not work one network may show in a minute. Only those that were found not to work
 * count: after a restart all clients behind one proxy show good keys that nobody knows yet, and all at once.
 */
@Injectable()
export class FailedKeys {
  constructor(
    private readonly config: AppConfig,
    private readonly counts: StrangerCounts,
  ) {}

  /** Throws `rate_limited` after too many. */
  requireFew(address: string): void {
    const seconds = this.counts.secondsUntilFewer(keyOf(address), this.config.failedKeysPerMinute);
    if (seconds > 0) throw tooManyRequests('too many keys from this address did not work', seconds);
  }

  add(address: string): void {
    this.counts.add(keyOf(address), MINUTE_MS, this.config.failedKeysPerMinute);
  }
}

const keyOf = (address: string) => `failed ${networkOf(address)}`;
