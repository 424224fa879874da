import { Injectable } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { Transactions } from '@app/database';
import type { AuditEvent } from './audit-event.js';
import { ChainKey } from './chain/audit-record.js';
import { AuditRepository } from './audit.repository.js';

/**
 * What happened, for good: an event is committed together with the change that it tells of, or neither is.
 * Each project's events form a chain in which an edited, removed, inserted or reordered one shows.
 */
@Injectable()
export class AuditLog {
  readonly #key: ChainKey;

  constructor(
    config: AppConfig,
    private readonly clock: Clock,
    private readonly transactions: Transactions,
    private readonly records: AuditRepository,
  ) {
    this.#key = new ChainKey(config.auditKey);
  }

  /**
   * Joins the caller's transaction. Call it last in there: from here to the commit, other appends of the
   * project wait, and whoever takes this lock before others may deadlock.
   */
  async append(event: AuditEvent): Promise<void> {
    await this.transactions.run(async () => {
      const head = await this.records.lockHead(event.project);
      const now = this.clock.now();
      // Never before the event ahead of it, whatever the clocks of other processes say: what is dropped by age
      // is then always the beginning of a chain.
      await this.records.append(this.#key.link(head, event, now > head.at ? now : head.at));
    });
  }
}
