import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { Notifications } from '@app/database';
import { KeysRepository } from './keys.repository.js';

export interface KeyChange {
  keyId: string;
  kind: 'revoked' | 'changed';
}

export const AUTH_CHANNEL = 'auth_changed';
const POLL_MS = 1_000;
const STALE_MS = 3_000;

/**
 * Tells this process about every change of a key, wherever it was made: within milliseconds by NOTIFY, and
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

  private async catchUp(): Promise<void> {
    if (this.closed) return;
    // What was committed after a running read began may be missing from it.
    this.readAgain = true;
    this.reading ??= this.readAll().finally(() => (this.reading = undefined));
    await this.reading;
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
    this.revision = revision;
    for (const { id, status } of keys) {
      for (const listener of this.listeners) {
        listener({ keyId: id, kind: status === 'revoked' ? 'revoked' : 'changed' });
      }
    }
    this.readAt = startedAt;
  }
}
