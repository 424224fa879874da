import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { UsagePeriod } from './usage-question.js';

/** Postgres' own code: no such time zone. */
const UNKNOWN_VALUE = '22023';

/** Whatever depends on the calendar of a time zone: Postgres knows it, for budgets too. */
@Injectable()
export class UsageRangeRepository {
  constructor(private readonly transactions: Transactions) {}

  async isTimeZone(name: string): Promise<boolean> {
    try {
      await this.query('SELECT now() AT TIME ZONE $1', [name]);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === UNKNOWN_VALUE) return false;
      throw error;
    }
  }

  async period(period: UsagePeriod, timeZone: string, at: Date): Promise<{ from: Date; to: Date }> {
    const [row] = await this.query<{ from: Date; to: Date }[]>(
      'SELECT starts_at AS from, ends_at AS to FROM budget_window_at($1, $2, $3)',
      [period, timeZone, at],
    );
    return row!;
  }

  /** Where a date begins. */
  async midnight(date: string, timeZone: string): Promise<Date> {
    const [row] = await this.query<{ at: Date }[]>('SELECT $1::timestamp AT TIME ZONE $2 AS at', [
      ...[date, timeZone],
    ]);
    return row!.at;
  }

  /** The hours of UTC that are not whole in the range or, by days, not whole in one day. */
  async cutHours(from: Date, to: Date, timeZone: string, byDay: boolean): Promise<Date[]> {
    const rows = await this.query<{ hour: Date }[]>(
      `SELECT DISTINCT date_trunc('hour', edge, 'UTC') AS hour FROM (
         SELECT $1::timestamptz AS edge UNION ALL SELECT $2
         UNION ALL SELECT day AT TIME ZONE $3 FROM generate_series(
           date_trunc('day', $1::timestamptz AT TIME ZONE $3), $2::timestamptz AT TIME ZONE $3, '1 day') day WHERE $4) e
        WHERE edge >= $1 AND edge <= $2 AND edge <> date_trunc('hour', edge, 'UTC')`,
      [from, to, timeZone, byDay],
    );
    return rows.map(({ hour }) => hour);
  }

  private query<T>(sql: string, values: unknown[]): Promise<T> {
    return this.transactions.manager.query(sql, values);
  }
}
