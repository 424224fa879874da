import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { networkOf } from './network.js';
import { StrangerCounts } from './stranger-counts.js';
import { tooManyRequests } from './strangers.errors.js';

const MINUTE_MS = 60_000;

/**
 * Bounds how many keys that do not work one network may show in a minute. A key that nobody knows counts from the
 * moment it is shown, so that many at a time are no more than one after the other, until it is found to work.
 */
@Injectable()
export class FailedKeys {
  constructor(
    private readonly config: AppConfig,
    private readonly counts: StrangerCounts,
  ) {}

  /** Throws `rate_limited` when it was one too many. */
  count(address: string): void {
    const { isBlocked, timeToExpire } = this.counts.add(
      keyOf(address),
      MINUTE_MS,
      this.config.failedKeysPerMinute,
    );
    if (isBlocked) throw tooManyRequests('too many keys from this address did not work', timeToExpire);
  }

  /** The key that was counted last does work, or nobody could tell. */
  forgive(address: string): void {
    this.counts.forgive(keyOf(address));
  }
}

const keyOf = (address: string) => `failed ${networkOf(address)}`;
