import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { UsageFilter } from './usage-question.js';

/** What one model used in one run; without any usage one line for the run. Times are RFC 3339. */
export interface UsageLine {
  run_id: string;
  started_at: string;
  ended_at: string;
  project: string;
  key_id: string;
  kind: string;
  request_id: string | null;
  outcome: string;
  error_code: string | null;
  model: string;
  calls: number;
  input_tokens: string | null;
  output_tokens: string | null;
  cache_read_tokens: string | null;
  cache_write_5m_tokens: string | null;
  cache_write_1h_tokens: string | null;
  cost_nano: string | null;
  cost_kind: string;
  price_version: string | null;
}

/** The place of a run in the order of an export. */
export type RunPlace = Pick<UsageLine, 'started_at' | 'run_id'>;

const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
const inUtc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', ${TIME}) AS ${column}`;

/** The ledger, line by line. */
@Injectable()
export class UsageExportRepository {
  constructor(private readonly transactions: Transactions) {}

  /** Of so many runs that ended, after a place, the oldest first. */
  async page(
    { from, to, filter }: { from: Date; to: Date; filter: Pick<UsageFilter, 'project' | 'keyId'> },
    after: RunPlace | undefined,
    runs: number,
  ): Promise<UsageLine[]> {
    const values: unknown[] = [after?.started_at ?? from, after?.run_id ?? '', to];
    const conditions = Object.entries({ project: filter.project, key_id: filter.keyId })
      .filter(([, value]) => value !== undefined)
      .map(([column, value]) => `AND ${column} = $${values.push(value)}`);
    return this.transactions.manager.query(
      // Run by run (OFFSET forbids anything else): a join of whole tables would read all usage for each page.
      `SELECT r.id AS run_id, ${inUtc('started_at')}, ${inUtc('ended_at')}, r.project, r.key_id, r.kind, r.request_id,
              r.outcome, r.error_code, coalesce(u.model, r.model) AS model, coalesce(u.calls, 0) AS calls,
              u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_5m_tokens, u.cache_write_1h_tokens,
              CASE WHEN u.model IS NULL THEN r.cost_nano ELSE u.cost_nano END AS cost_nano, r.cost_kind, u.price_version
         FROM (SELECT * FROM runs WHERE (started_at, id) > ($1, $2) AND started_at < $3 AND outcome IS NOT NULL
                      ${conditions.join(' ')} ORDER BY started_at, id LIMIT $${values.push(runs)}) r
         LEFT JOIN LATERAL (SELECT * FROM run_usage WHERE run_id = r.id OFFSET 0) u ON true ORDER BY r.started_at, r.id, u.model`,
      values,
    );
  }
}
