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
}

export interface Partition {
  name: string;
  /** The first moment that is no longer in it. */
  until: Date;
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
  async before(limit: Date, { table }: PartitionedTable): Promise<Partition[]> {
    return (await this.partitions(table)).filter(({ until }) => until <= limit);
  }

  /** Joins the caller's transaction. Throws when the table is in use for too long: try again later. */
  async drop({ name }: Partition): Promise<void> {
    await this.transactions.run(async () => {
      await this.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await this.query(`DROP TABLE IF EXISTS ${name}`);
    });
  }

  private async missing(
    { table, every, ahead }: PartitionedTable,
    now: Date,
  ): Promise<{ from: Date; to: Date }[]> {
    const current = beginningOf(every, now);
    const end = after(every, current, ahead + 1);
    const periods: { from: Date; to: Date }[] = [];
    for (let from = (await this.partitions(table)).at(-1)?.until ?? current; from < end;) {
      const to = after(every, beginningOf(every, from), 1);
      periods.push({ from, to });
      from = to;
    }
    return periods;
  }

  /** Made beside the table and then attached: unlike `PARTITION OF`, that lets others go on writing. */
  private async make(
    { table, every, guard }: PartitionedTable,
    { from, to }: { from: Date; to: Date },
  ): Promise<void> {
    const digits = from
      .toISOString()
      .replaceAll('-', '')
      .slice(0, every === 'day' ? 8 : 6);
    const name = `${table}_${digits}`;
    await this.query(`CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
    if (guard) await this.query(`SELECT ${guard}($1::regclass)`, [name]);
    await this.query(
      `ALTER TABLE ${table} ATTACH PARTITION ${name}
       FOR VALUES FROM ('${from.toISOString()}') TO ('${to.toISOString()}')`,
    );
  }

  private async partitions(table: string): Promise<Partition[]> {
    return this.query<Partition[]>(
      `SELECT c.oid::regclass::text AS name, bound.until FROM pg_inherits
       JOIN pg_class c ON c.oid = inhrelid
       CROSS JOIN LATERAL (SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)''\\)'))[1]
                             ::timestamptz AS until) bound
       WHERE inhparent = $1::regclass AND bound.until IS NOT NULL ORDER BY bound.until`,
      [table],
    );
  }

  private query<T>(sql: string, values: unknown[] = []): Promise<T> {
    return this.transactions.manager.query(sql, values);
  }
}

function beginningOf(every: PartitionedTable['every'], at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), every === 'day' ? at.getUTCDate() : 1));
}

function after(every: PartitionedTable['every'], at: Date, periods: number): Date {
  const [months, days] = every === 'day' ? [0, periods] : [periods, 0];
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, at.getUTCDate() + days));
}
