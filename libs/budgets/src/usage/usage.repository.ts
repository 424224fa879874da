import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { ADDED_UP, LINES_OF_RUN, SUM_COLUMNS, type SUMS } from './usage-lines.js';
import type { UsageFilter, UsageGroup } from './usage-question.js';

/** A sum as Postgres tells it: whole numbers as text, null when nothing of it is known. */
export type UsageSums = Record<(typeof SUMS)[number], string | null>;
export type GroupedSums = UsageSums & { name: string };

interface Asked {
  from: Date;
  to: Date;
  timeZone: string;
  groupBy: UsageGroup;
  filter: UsageFilter;
  limit: number;
  /** Hours that are read from the ledger, as they are not whole in the range or in one day. */
  cutHours: Date[];
}

const COLUMN = { model: 'model', key: 'key_id', project: 'project' } as const;
const LINE = 'project, key_id, model';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Whole days, whole hours, what waits to be added to them, and hours that are cut: every run of the range is in one
 * of them, exactly once. One statement, so all are of one moment. `$1`, `$2`: the range; `$3`, `$4`: its whole days;
 * `$5`: its first hour; `$6`: the cut hours.
 */
const LINES = `
  SELECT bucket AS at, ${LINE}, ${SUM_COLUMNS} FROM usage_rollups WHERE grain = 'day' AND bucket >= $3 AND bucket < $4
  UNION ALL
  SELECT bucket, ${LINE}, ${SUM_COLUMNS} FROM usage_rollups
   WHERE grain = 'hour' AND ((bucket >= $5 AND bucket < $3) OR (bucket >= $4 AND bucket < $2)) AND bucket <> ALL($6)
  UNION ALL
  SELECT r.started_at, r.project, r.key_id, line.* FROM usage_pending p JOIN runs r ON r.id = p.run_id ${LINES_OF_RUN}
   WHERE p.hour >= $5 AND p.hour < $2 AND p.hour <> ALL($6)
  UNION ALL
  SELECT r.started_at, r.project, r.key_id, line.* FROM unnest($6::timestamptz[]) AS cut (hour)
    JOIN runs r ON r.started_at >= cut.hour AND r.started_at < cut.hour + interval '1 hour' ${LINES_OF_RUN}
   WHERE r.outcome IS NOT NULL AND r.started_at >= $1 AND r.started_at < $2`;

/** Reads what the ledger adds up to. */
@Injectable()
export class UsageRepository {
  constructor(private readonly transactions: Transactions) {}

  /** The total, and up to one group more than asked for: days in their order, others by what they cost. */
  async sums(asked: Asked): Promise<{ total: UsageSums; groups: GroupedSums[] }> {
    const { from, to, timeZone, groupBy, filter, limit, cutHours } = asked;
    const [firstDay, lastDay] = wholeDays(asked);
    const values: unknown[] = [from, to, firstDay, lastDay, startOf(HOUR_MS, from), cutHours];
    const conditions = Object.entries({ project: filter.project, key_id: filter.keyId, model: filter.model })
      .filter(([, value]) => value !== undefined)
      .map(([column, value]) => `${column} = $${values.push(value)}`);
    const group =
      groupBy === 'day'
        ? `to_char(at AT TIME ZONE $${values.push(timeZone)}, 'YYYY-MM-DD')`
        : COLUMN[groupBy];
    const order =
      groupBy === 'day' ? '' : 'coalesce(billed_nano, 0) + coalesce(notional_nano, 0) DESC, runs DESC,';
    const [total, ...groups] = await this.transactions.manager.query<[UsageSums, ...GroupedSums[]]>(
      `SELECT * FROM (
         SELECT ${group} AS name, ${ADDED_UP}, GROUPING(${group}) AS is_total
           FROM (${LINES}) lines ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
          GROUP BY GROUPING SETS ((${group}), ())) sums
        ORDER BY is_total DESC, ${order} name LIMIT $${values.push(limit + 2)}`,
      values,
    );
    return { total, groups };
  }
}

/** Days of UTC are added up. Where others are asked for, hours are. */
function wholeDays({ from, to, timeZone, groupBy }: Asked): [Date, Date] {
  const first = startOf(DAY_MS, new Date(from.getTime() + DAY_MS - 1));
  const last = startOf(DAY_MS, to);
  return first < last && (groupBy !== 'day' || timeZone === 'UTC') ? [first, last] : [to, to];
}

function startOf(unitMs: number, at: Date): Date {
  return new Date(Math.floor(at.getTime() / unitMs) * unitMs);
}
