import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';

interface Claim {
  project: string;
  key: string;
  ticket: string;
  instance: string;
  fingerprint: string;
}

/** An unanswered key is free again after the longest run there can be; an answered one after a day. */
const IN_FLIGHT = '65 minutes';
const KEPT = '24 hours';

/** Idempotency keys: who works on each, and what was answered. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly transactions: Transactions) {}

  /** Null when the key was free and is now ours; else what is known of it. */
  async claim(claim: Claim): Promise<{ fingerprint: string; answer: string | null } | null> {
    const rows = await this.transactions.manager.query<{ fingerprint: string; answer: string | null }[]>(
      `WITH claimed AS (
         INSERT INTO idempotency_keys AS k (project, key, ticket, instance, fingerprint, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
         ON CONFLICT (project, key) DO UPDATE
           SET ticket = excluded.ticket, instance = excluded.instance, fingerprint = excluded.fingerprint,
               answer = NULL, expires_at = excluded.expires_at
           WHERE k.expires_at < now()
         RETURNING ticket)
       SELECT k.fingerprint, k.answer FROM idempotency_keys k
        WHERE k.project = $1 AND k.key = $2 AND k.expires_at >= now() AND NOT EXISTS (SELECT FROM claimed)`,
      [claim.project, claim.key, claim.ticket, claim.instance, claim.fingerprint, IN_FLIGHT],
    );
    return rows[0] ?? null;
  }

  async answer(ticket: { project: string; key: string; ticket: string }, answer: string): Promise<void> {
    await this.transactions.manager.query(
      `UPDATE idempotency_keys SET answer = $4, expires_at = now() + $5::interval
        WHERE project = $1 AND key = $2 AND ticket = $3`,
      [ticket.project, ticket.key, ticket.ticket, answer, KEPT],
    );
  }

  async free(ticket: { project: string; key: string; ticket: string }): Promise<void> {
    await this.transactions.manager.query(
      `DELETE FROM idempotency_keys WHERE project = $1 AND key = $2 AND ticket = $3 AND answer IS NULL`,
      [ticket.project, ticket.key, ticket.ticket],
    );
  }

  /** At boot: what this installation's earlier process was working on, and what is too old. */
  async clear(instance: string): Promise<void> {
    await this.transactions.manager.query(
      `DELETE FROM idempotency_keys WHERE expires_at < now() OR (instance = $1 AND answer IS NULL)`,
      [instance],
    );
  }
}
