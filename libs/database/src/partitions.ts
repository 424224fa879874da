import { Injectable } from '@nestjs/common';
import { Transactions } from './transactions.js';

/** A drop needs the whole table for a moment. Behind a long query it would make everybody else wait too. */
const LOCK_TIMEOUT_MS = 2_000;

/** A table that is partitioned by ranges of time. The names are our own: they go into statements as they are. */
export interface PartitionedTable {
  table: string;
  every: 'day' | 'month';
  /** So many periods beyond the current one are there before they are needed. */
  ahead: number;
  /** A function of SQL that is called with each new partition, before anything can be in it. */
  guard?: string;
  /** The prefix of its ids, when it is partitioned by them: they begin with their time of birth. */
  ids?: string;
  /** It has a partition `<table>_default` for what fits in no other, and is partitioned by this column. */
  defaultBy?: string;
}

export interface Partition {
  name: string;
  /** The first moment that is no longer in it. */
  until: Date;
  /** The same as it is written in the key: a time, or what an id of this time begins with. */
  bound: string;
}

/**
 * Keeps the partitions of tables: makes them ahead of time, whichever process comes first, and tells and drops
 * those that are old. Old rows go without a DELETE, and their space with them.
 */
@Injectable()
export class Partitions {
  constructor(private readonly transactions: Transactions) {}

  /** Without a partition for its time, a row cannot be written: to be called at start, and then daily. */
  async makeAhead(of: PartitionedTable, now: Date): Promise<void> {
    if ((await this.missing(of, now)).length === 0) return;
    await this.transactions.run(async () => {
      await this.query('SELECT pg_advisory_xact_lock(hashtext($1))', [`partitions of ${of.table}`]);
      for (const period of await this.missing(of, now)) await this.make(of, period);
    });
  }

  /** Those in which every row is older, the oldest first. */
  async before(limit: Date, of: PartitionedTable): Promise<Partition[]> {
    return (await this.partitions(of)).filter(({ until }) => until <= limit);
  }

  /** Joins the caller's transaction. Throws when the table is in use for too long: try again later. */
  async drop({ name }: Partition): Promise<void> {
    await this.transactions.run(async () => {
      await this.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await this.query(`DROP TABLE IF EXISTS ${name}`);
    });
  }

  private async missing(of: PartitionedTable, now: Date): Promise<{ from: Date; to: Date }[]> {
    const { every, ahead } = of;
    const current = beginningOf(every, now);
    const end = after(every, current, ahead + 1);
    const periods: { from: Date; to: Date }[] = [];
    for (let from = (await this.partitions(of)).at(-1)?.until ?? current; from < end;) {
      const to = after(every, beginningOf(every, from), 1);
      periods.push({ from, to });
      from = to;
    }
    return periods;
  }

  /** Made beside the table and then attached: unlike `PARTITION OF`, that lets others go on writing. */
  private async make(of: PartitionedTable, { from, to }: { from: Date; to: Date }): Promise<void> {
    const { table, every, guard } = of;
    const digits = from
      .toISOString()
      .replaceAll('-', '')
      .slice(0, every === 'day' ? 8 : 6);
    const name = `${table}_${digits}`;
    const [first, end] = [boundAt(of, from), boundAt(of, to)];
    await this.query(`CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
    if (guard) await this.query(`SELECT ${guard}($1::regclass)`, [name]);
    if (of.defaultBy) await this.bringHome(of, name, [first, end]);
    await this.query(
      `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${first}') TO ('${end}')`,
    );
  }

  /** What came before its partition was there lies in the default one, which must not be added to meanwhile. */
  private async bringHome(
    { table, defaultBy }: PartitionedTable,
    name: string,
    bounds: [string, string],
  ): Promise<void> {
    await this.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await this.query(`LOCK TABLE ${table}_default IN ACCESS EXCLUSIVE MODE`);
    await this.query(
      `WITH strays AS (DELETE FROM ${table}_default WHERE ${defaultBy} >= $1 AND ${defaultBy} < $2 RETURNING *)
       INSERT INTO ${name} SELECT * FROM strays`,
      bounds,
    );
  }

  private async partitions({ table, ids }: PartitionedTable): Promise<Partition[]> {
    return this.query<Partition[]>(
      // Materialized: the bounds of other tables, which look otherwise, must not be read.
      `WITH bounds AS MATERIALIZED (
         SELECT inhrelid AS oid, (regexp_match(pg_get_expr(relpartbound, pg_class.oid), 'TO \\(''([^'']+)''\\)'))[1] AS text
           FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::regclass)
       SELECT oid::regclass::text AS name, CASE WHEN $2::text IS NULL THEN text::timestamptz ELSE
                to_timestamp(('x0000' || substr(text, length($2) + 2, 12))::bit(64)::bigint / 1000.0) END AS until, text AS bound
         FROM bounds WHERE text IS NOT NULL ORDER BY until`,
      [table, ids ?? null],
    );
  }

  private query<T>(sql: string, values: unknown[] = []): Promise<T> {
    return this.transactions.manager.query(sql, values);
  }
}

function boundAt({ ids }: PartitionedTable, at: Date): string {
  return ids === undefined ? at.toISOString() : `${ids}_${at.getTime().toString(16).padStart(12, '0')}`;
}

function beginningOf(every: PartitionedTable['every'], at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), every === 'day' ? at.getUTCDate() : 1));
}

function after(every: PartitionedTable['every'], at: Date, periods: number): Date {
  const [months, days] = every === 'day' ? [0, periods] : [periods, 0];
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, at.getUTCDate() + days));
}
