import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';

/** What retention asks of tasks. A range of ids, the second not in it, is a range of times of birth. */
@Injectable()
export class OldTasksRepository {
  constructor(private readonly transactions: Transactions) {}

  /** With what hangs on them, but not their events. Returns how many went. */
  async remove([since, before]: [string, string], endedBefore: Date, most: number): Promise<number> {
    const rows = await this.transactions.manager.query<unknown[]>(
      `WITH gone AS (
         DELETE FROM tasks WHERE id IN (
           SELECT id FROM tasks WHERE id >= $1 AND id < $2 AND finished_at < $3 ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
         RETURNING id)
       SELECT id FROM gone`,
      [since, before, endedBefore, most],
    );
    return rows.length;
  }

  async areAnyLeft([since, before]: [string, string]): Promise<boolean> {
    const rows = await this.transactions.manager.query<unknown[]>(
      'SELECT 1 FROM tasks WHERE id >= $1 AND id < $2 LIMIT 1',
      [since, before],
    );
    return rows.length > 0;
  }
}
