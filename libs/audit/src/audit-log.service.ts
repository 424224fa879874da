import { Injectable } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { Transactions } from '@app/database';
import type { AuditEvent } from './audit-event.js';
import { type AuditedChange, type ChangeAnswer, NO_CHANGE } from './audited-change.js';
import { ChainKey } from './chain/audit-record.js';
import { ChainHeads, type DatedHead } from './chain/chain-heads.js';
import { AuditRepository } from './audit.repository.js';

/**
 * What happened, for good: an event is committed together with the change that it tells of, or neither is.
 * Each project's events form a chain in which an edited, removed, inserted or reordered one shows.
 */
@Injectable()
export class AuditLog {
  readonly #key: ChainKey;
  readonly #heads = new ChainHeads();

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
    if (this.transactions.isOpen) await this.link(event);
    else await this.record(event, NO_CHANGE);
  }

  /**
   * Makes a change and writes the event that tells of it, when one is to be told: one round trip as long as only
   * this process appends to the project's chain. `more` writes what else is to be told, in the same transaction.
   */
  async record<T>(event: AuditEvent, change: AuditedChange, more?: (said: T) => Promise<void>): Promise<T> {
    // Who holds locks must not wait for a turn.
    if (this.transactions.isOpen) return this.step(event, change, more);
    return this.#heads.inTurn(event.project, async () => {
      const answer = await this.atOnce<T>(event, change);
      return answer ? answer.said : this.transactions.run(() => this.step(event, change, more));
    });
  }

  /** Undefined = the chain's end was not what we thought, or there is more to tell, and nothing happened. */
  private async atOnce<T>(event: AuditEvent, change: AuditedChange): Promise<ChangeAnswer<T> | undefined> {
    const { project } = event;
    const head = this.#heads.guess(project);
    if (!head) return undefined;
    const record = this.#key.link(head, event, this.after(head));
    let answer: ChangeAnswer<T> | undefined;
    try {
      answer = await this.records.makeAndAppend<T>(change, record);
      if (answer && answer.events > 0) this.#heads.advance(project, dated(record));
      return answer;
    } finally {
      if (!answer) this.#heads.doubt(project);
    }
  }

  /** One of several statements of a transaction, which then holds the end of the chain. */
  private async step<T>(
    event: AuditEvent,
    change: AuditedChange,
    more?: (said: T) => Promise<void>,
  ): Promise<T> {
    const { said, events } = await this.records.make<T>(change);
    if (events > 0) await this.link(event);
    if (events > 1) await more?.(said);
    return said;
  }

  private async link(event: AuditEvent): Promise<void> {
    const found = await this.records.lockHead(event.project);
    const record = this.#key.link(found, event, this.after(found));
    await this.records.append(record);
    this.#heads.learn(event.project, found, dated(record));
  }

  /**
   * Never before the event ahead of it, whatever the clocks of other processes say: what is dropped by age is
   * then always the beginning of a chain.
   */
  private after({ at }: DatedHead): Date {
    const now = this.clock.now();
    return now > at ? now : at;
  }
}

function dated({ seq, mac, at }: { seq: number; mac: Buffer; at: string }): DatedHead {
  return { seq, mac, at: new Date(at) };
}
