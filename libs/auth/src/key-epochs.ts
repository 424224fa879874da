import { Injectable } from '@nestjs/common';
import { Notifications } from '@app/database';
import { AUTH_CHANNEL, KeyChanges } from './key-changes.js';
import { type KeySet, KeysRepository } from './keys.repository.js';

/**
 * Makes what was decided about many keys hold at once: whatever any process believes of them is outdated from
 * the commit on. For changes of a whole tier or project: hold the keys, change, raise, and after the commit catch up.
 */
@Injectable()
export class KeyEpochs {
  constructor(
    private readonly keys: KeysRepository,
    private readonly notifications: Notifications,
    private readonly changes: KeyChanges,
  ) {}

  /** No other change touches these keys until the transaction ends. Returns how many there are. */
  hold(keys: KeySet): Promise<number> {
    return this.keys.lockAll(keys);
  }

  /** Last in the transaction: from here to the commit all changes of the installation wait for this one. */
  async raise(keys: KeySet): Promise<void> {
    await this.keys.stamp(keys);
    await this.notifications.notify(AUTH_CHANNEL, '');
  }

  /** After the commit, so that the caller's next request finds this process changed. */
  catchUp(): Promise<void> {
    return this.changes.catchUp();
  }
}
