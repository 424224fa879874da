import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { KeysRepository } from './keys.repository.js';

const FLUSH_MS = 10_000;

/**
 * Remembers when each key was last used, at no cost to the request: one statement now and then writes them
 * all, and each key at most once a minute. A crash may lose the last seconds.
 */
@Injectable()
export class LastUsed implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(LastUsed.name);
  private used = new Map<string, Date>();
  private timer: NodeJS.Timeout;

  constructor(
    private readonly keys: KeysRepository,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  touch(keyId: string): void {
    this.used.set(keyId, this.clock.now());
  }

  async flush(): Promise<void> {
    if (this.used.size === 0) return;
    const used = this.used;
    this.used = new Map();
    try {
      await this.keys.markUsed(used);
    } catch (error) {
      this.logger.warn(`could not write when keys were used: ${(error as Error).message}`);
    }
  }
}
