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
    // Always an update, if an empty one: only so does a statement see the row of a claim that was committed
    // while it ran.
    const [row] = await this.transactions.manager.query<(Claim & { answer: string | null })[]>(
      `INSERT INTO idempotency_keys AS k (project, key, ticket, instance, fingerprint, expires_at)
       VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
       ON CONFLICT (project, key) DO UPDATE SET (ticket, instance, fingerprint, answer, expires_at) = (
         SELECT * FROM (VALUES (excluded.ticket, excluded.instance, excluded.fingerprint, NULL, excluded.expires_at))
          AS fresh WHERE k.expires_at < now()
         UNION ALL SELECT k.ticket, k.instance, k.fingerprint, k.answer, k.expires_at WHERE k.expires_at >= now())
       RETURNING ticket, fingerprint, answer`,
      [claim.project, claim.key, claim.ticket, claim.instance, claim.fingerprint, IN_FLIGHT],
    );
    return !row || row.ticket === claim.ticket ? null : row;
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

  /** At boot: what this installation's earlier process was working on. */
  async freeAbandoned(instance: string): Promise<void> {
    await this.transactions.manager.query(
      `DELETE FROM idempotency_keys WHERE instance = $1 AND answer IS NULL`,
      [instance],
    );
  }

  async removeExpired(): Promise<void> {
    await this.transactions.manager.query(`DELETE FROM idempotency_keys WHERE expires_at < now()`);
  }
}
