import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { Clock } from '@app/common';
import { Transactions } from '@app/database';
import type { KeyFault } from './auth.errors.js';
import { failureEvents, type Failures } from './failure-events.js';
import { KeysRepository } from './keys.repository.js';

const EVERY_MS = 60_000;
/** So many kids are told apart within a minute. */
const MOST_KIDS = 1_000;

/**
 * Counts refused keys, at no cost to the request, and once a minute writes the counts to the audit: by reason,
 * and by key where there is one of that kid. A flood cannot fill log, audit or memory, and no key is kept.
 */
@Injectable()
export class AuthFailures implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AuthFailures.name);
  private failures = new Map<string, Failures>();
  private unlogged = 0;
  private quietUntil = -Infinity;
  private timer: NodeJS.Timeout;

  constructor(
    private readonly clock: Clock,
    private readonly transactions: Transactions,
    private readonly audit: AuditLog,
    private readonly keys: KeysRepository,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.flush(), EVERY_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  add(fault: KeyFault, kid?: string): void {
    const at = this.clock.now();
    this.count({ fault, kid: this.failures.size < MOST_KIDS ? kid : undefined, count: 1, from: at, to: at });
    this.tell();
  }

  /** What cannot be written now is kept for the next time. */
  async flush(): Promise<void> {
    if (this.failures.size === 0) return;
    const failures = [...this.failures.values()];
    this.failures = new Map();
    try {
      const owners = await this.keys.ownersOf(failures.flatMap(({ kid }) => kid ?? []));
      await this.transactions.run(async () => {
        for (const event of failureEvents(failures, owners)) await this.audit.append(event);
      });
    } catch (error) {
      this.logger.warn(`could not write refused keys to the audit: ${(error as Error).message}`);
      failures.forEach((failure) => this.count(failure));
    }
  }

  private count({ fault, kid, count, from, to }: Failures): void {
    const name = `${fault} ${kid ?? ''}`;
    const known = this.failures.get(name);
    if (!known) this.failures.set(name, { fault, kid, count, from, to });
    else Object.assign(known, { count: known.count + count, to });
  }

  private tell(): void {
    this.unlogged += 1;
    const now = this.clock.monotonicMs();
    if (now < this.quietUntil) return;
    this.logger.warn(`${this.unlogged} request(s) with a missing or invalid key since the last such line`);
    this.unlogged = 0;
    this.quietUntil = now + EVERY_MS;
  }
}
