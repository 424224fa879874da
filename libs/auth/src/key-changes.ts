import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { Notifications } from '@app/database';
import { Tiers } from '@app/permissions';
import { KeysRepository } from './keys.repository.js';

/** `revoked`: it works no more, also because its project was disabled. */
export interface KeyChange {
  keyId: string;
  kind: 'revoked' | 'changed';
}

export const AUTH_CHANNEL = 'auth_changed';
const POLL_MS = 1_000;
const STALE_MS = 3_000;

/**
 * Tells this process about every change of a key or of its tier, wherever it was made: within milliseconds by NOTIFY, and
 * within a second by a poll when the notification was lost. `current` is false once neither got through.
 */
@Injectable()
export class KeyChanges implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(KeyChanges.name);
  private readonly listeners: ((change: KeyChange) => void)[] = [];
  private revision: string | undefined;
  private readAt = -Infinity;
  private reading: Promise<void> | undefined;
  private readAgain = false;
  private timer: NodeJS.Timeout;
  private closed = false;

  constructor(
    private readonly keys: KeysRepository,
    private readonly notifications: Notifications,
    private readonly tiers: Tiers,
    private readonly clock: Clock,
  ) {}

  onChange(listener: (change: KeyChange) => void): void {
    this.listeners.push(listener);
  }

  get current(): boolean {
    return this.clock.monotonicMs() - this.readAt < STALE_MS;
  }

  async onModuleInit(): Promise<void> {
    // A notification only says "look now", so there is one path, one order and no change is told twice.
    this.notifications.listen(AUTH_CHANNEL, () => void this.catchUp());
    this.notifications.onReconnect(() => void this.catchUp());
    this.timer = setInterval(() => void this.catchUp(), POLL_MS).unref();
    await this.catchUp();
  }

  async onModuleDestroy(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.reading;
  }

  /** Until everything that was committed before is known here too, unless the database is away. */
  async catchUp(): Promise<void> {
    if (this.closed) return;
    // What was committed after a running read began may be missing from it.
    this.readAgain = true;
    this.reading ??= this.readAll().finally(() => (this.reading = undefined));
    await this.reading;
  }

  /** Until the change of this number is known here too. */
  async upTo(revision: string): Promise<void> {
    if (this.revision === undefined || BigInt(revision) > BigInt(this.revision)) await this.catchUp();
  }

  private async readAll(): Promise<void> {
    while (this.readAgain) {
      this.readAgain = false;
      try {
        await this.read();
      } catch (error) {
        // Not fatal: `current` turns false, and the next poll tries again.
        this.logger.warn(`could not read key changes: ${(error as Error).message}`);
      }
    }
  }

  private async read(): Promise<void> {
    const startedAt = this.clock.monotonicMs();
    const { revision, keys } = await this.keys.changedSince(this.revision);
    // First: whoever then reads a changed key anew finds the tier that it was changed for.
    if (revision !== this.revision) await this.tiers.refresh();
    this.revision = revision;
    for (const { id, ended } of keys) {
      for (const listener of this.listeners) listener({ keyId: id, kind: ended ? 'revoked' : 'changed' });
    }
    this.readAt = startedAt;
  }
}
