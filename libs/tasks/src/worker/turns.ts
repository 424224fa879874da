import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { ClaimsRepository } from '../store/claims.repository.js';
import { TaskQueue } from '../store/task-queue.js';
import type { Claim } from '../task.js';

/**
 * Whose turn it is. Exact: over all processes a key never has more out than its tier allows. Fair: places go
 * round by round to the keys that have the fewest tasks out, and the last free of several places goes only to a
 * key that has none, so that nobody waits for all of another one's tasks. Within a key, first come, first served.
 */
@Injectable()
export class Turns {
  constructor(
    private readonly transactions: Transactions,
    private readonly claims: ClaimsRepository,
    private readonly queue: TaskQueue,
  ) {}

  /** Claims up to `free` tasks for this worker, which has `places` in all. */
  async take(free: number, places: number, worker: string): Promise<Claim[]> {
    if (!(await this.claims.anyQueued())) return [];
    return this.transactions.run(async () => {
      await this.claims.lockDispatch();
      const claims: Claim[] = [];
      // A process with one place keeps none back: a key that has a task out elsewhere would never get it.
      const kept = places > 1 ? 1 : 0;
      for (const level of this.queue.levels) {
        const most = level === 1 ? free : free - kept;
        if (claims.length >= most) break;
        await this.takeLevel(level, most, worker, claims);
      }
      return claims;
    });
  }

  /** Until nothing comes: tickets come from the head of the line, where one key may hide the others. */
  private async takeLevel(level: number, most: number, worker: string, claims: Claim[]): Promise<void> {
    while (claims.length < most) {
      const ids = await this.queue.take(most - claims.length, level);
      if (ids.length === 0) return;
      for (const id of ids) {
        const claim = await this.claims.claim(id, worker);
        if (claim === 'gone') await this.queue.remove(id);
        else if (claim === 'busy') await this.queue.putBack(id);
        else claims.push(claim);
      }
    }
  }
}
