import { Injectable } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { Transactions } from '@app/database';
import type { AuditEvent } from './audit-event.js';
import { type AuditRecord, CHAIN_START, ChainKey, type ChainHead } from './audit-record.js';
import { AuditRepository } from './audit.repository.js';

const PAGE = 1_000;

type ChainFlaw = 'edited' | 'missing' | 'unlinked' | 'other_key';

/** `seq` is the first place where the chain is not as it was written. */
export type ChainVerdict = { ok: true; events: number } | { ok: false; seq: number; reason: ChainFlaw };

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
      await this.records.append(this.#key.link(head, event, this.clock.now()));
    });
  }

  /** Reads the whole chain again, up to the event that was last when it began. */
  async verifyChain(project: string): Promise<ChainVerdict> {
    const { head, more } = await this.records.end(project);
    let previous = CHAIN_START;
    while (previous.seq < head.seq) {
      const page = await this.records.between(project, previous.seq, head.seq, PAGE);
      if (page.length === 0) return { ok: false, seq: previous.seq + 1, reason: 'missing' };
      for (const record of page) {
        const reason = this.#flaw(previous, record);
        if (reason) return { ok: false, seq: previous.seq + 1, reason };
        previous = record;
      }
    }
    if (more) return { ok: false, seq: head.seq + 1, reason: 'unlinked' };
    if (!previous.mac.equals(head.mac)) return { ok: false, seq: head.seq, reason: 'unlinked' };
    return { ok: true, events: head.seq };
  }

  #flaw(previous: ChainHead, record: AuditRecord): ChainFlaw | undefined {
    if (record.seq !== previous.seq + 1) return 'missing';
    if (record.macKeyId !== this.#key.id) return 'other_key';
    if (!this.#key.matches(record)) return 'edited';
    return record.prev.equals(previous.mac) ? undefined : 'unlinked';
  }
}
