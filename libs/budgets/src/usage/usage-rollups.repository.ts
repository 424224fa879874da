import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { ADDED_UP, ROLLED_UP, SUM_COLUMNS, SUMS } from './usage-lines.js';

export type Grain = 'hour' | 'day';

/** A sum that is not what the ledger says. Amounts as text; null = there is no such sum. */
export interface RollupDifference {
  grain: Grain;
  bucket: Date;
  project: string;
  key_id: string;
  model: string;
  stored: Record<string, unknown> | null;
  computed: Record<string, unknown> | null;
}

const LEADERSHIP = `hashtextextended('claude-api usage rollups', 0)`;
const KEY = 'grain, bucket, project, key_id, model';

/** What the sums of one day have to be: hours from the ledger, the day from its hours. `$1` to `$2` is the day. */
const COMPUTED: Record<Grain, string> = {
  hour: `SELECT 'hour' AS grain, date_trunc('hour', r.started_at, 'UTC') AS bucket, r.project, r.key_id, line.model,
                ${ADDED_UP} FROM ${ROLLED_UP} GROUP BY 2, 3, 4, 5`,
  day: `SELECT 'day' AS grain, date_trunc('day', bucket, 'UTC') AS bucket, project, key_id, model, ${ADDED_UP}
          FROM usage_rollups WHERE grain = 'hour' AND bucket >= $1 AND bucket < $2 GROUP BY 2, 3, 4, 5`,
};

/** The sums and what waits to be added to them. Every method joins the caller's transaction. */
@Injectable()
export class UsageRollupsRepository {
  constructor(private readonly transactions: Transactions) {}

  /** One process at a time adds up, until its transaction ends. */
  async lead(): Promise<boolean> {
    const [row] = await this.query<{ leads: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(${LEADERSHIP}) AS leads`,
    );
    return row!.leads;
  }

  /** Waits until no other process adds up. */
  async leadWhenFree(): Promise<void> {
    await this.query(`SELECT pg_advisory_xact_lock(${LEADERSHIP})`);
  }

  /** Takes what waits of the oldest hours; returns these. */
  async takePending(hours: number): Promise<Date[]> {
    const rows = await this.query<{ hour: Date }[]>(
      `WITH taken AS (
         DELETE FROM usage_pending
          WHERE hour IN (SELECT DISTINCT hour FROM usage_pending ORDER BY hour LIMIT $1) RETURNING hour)
       SELECT DISTINCT hour FROM taken ORDER BY hour`,
      [hours],
    );
    return rows.map(({ hour }) => hour);
  }

  /** Computes all sums of a grain between two moments anew. */
  async compute(grain: Grain, from: Date, to: Date): Promise<void> {
    await this.query(
      `INSERT INTO usage_rollups (${KEY}, ${SUM_COLUMNS}) ${COMPUTED[grain]}
       ON CONFLICT (${KEY}) DO UPDATE SET ${SUMS.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}`,
      [from, to],
    );
  }

  /** Where the sums are not what `compute` would make of them. */
  async differences(grain: Grain, from: Date, to: Date): Promise<RollupDifference[]> {
    return this.query(
      `WITH computed AS (${COMPUTED[grain]}),
       stored AS (SELECT ${KEY}, ${SUM_COLUMNS} FROM usage_rollups
                   WHERE grain = '${grain}' AND bucket >= $1 AND bucket < $2)
       SELECT ${KEY}, ${textsOf('s')} AS stored, ${textsOf('c')} AS computed
         FROM stored s FULL JOIN computed c USING (${KEY})
        WHERE (${SUMS.map((name) => `s.${name}`)}) IS DISTINCT FROM (${SUMS.map((name) => `c.${name}`)})
        ORDER BY ${KEY}`,
      [from, to],
    );
  }

  async clear(grain: Grain, from: Date, to: Date): Promise<void> {
    await this.query('DELETE FROM usage_rollups WHERE grain = $1 AND bucket >= $2 AND bucket < $3', [
      ...[grain, from, to],
    ]);
  }

  /** From the first run or sum to the last; undefined when there is none. */
  async extent(): Promise<{ from: Date; to: Date } | undefined> {
    const [row] = await this.query<{ from: Date | null; to: Date | null }[]>(
      `SELECT least((SELECT min(started_at) FROM runs), (SELECT min(bucket) FROM usage_rollups)) AS from,
              greatest((SELECT max(started_at) FROM runs), (SELECT max(bucket) FROM usage_rollups)) AS to`,
    );
    return row?.from && row.to ? { from: row.from, to: row.to } : undefined;
  }

  private query<T>(sql: string, values: unknown[] = []): Promise<T> {
    return this.transactions.manager.query(sql, values);
  }
}

/** Null for the side that has no such row: a sum always has runs, 0 at least. */
function textsOf(side: 's' | 'c'): string {
  const parts = SUMS.map((name) => `'${name}', ${side}.${name}::text`).join(', ');
  return `CASE WHEN ${side}.runs IS NOT NULL THEN jsonb_build_object(${parts}) END`;
}
