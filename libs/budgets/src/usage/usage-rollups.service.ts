import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { type RollupDifference, UsageRollupsRepository } from './usage-rollups.repository.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What one transaction adds up at most. */
const HOURS_AT_ONCE = 24;

export interface Rebuilding {
  days: number;
  differences: RollupDifference[];
  /** More than are listed. */
  found: number;
}

const LISTED = 1_000;

/**
 * Keeps the sums of usage. They are computed anew from the ledger for every hour in which a run ended, never
 * counted up, so that whatever comes late heals them. A run that is in no sum yet waits in `usage_pending`: sums
 * and what waits are together the whole ledger at every moment.
 */
@Injectable()
export class UsageRollups {
  constructor(
    private readonly transactions: Transactions,
    private readonly rollups: UsageRollupsRepository,
  ) {}

  /** Adds up what waits, unless another process is at it. */
  async rollUp(): Promise<void> {
    while (await this.transactions.run(() => this.nextHours()));
  }

  /**
   * Computes everything that the ledger has anew, day by day, and tells where the sums were wrong. Afterwards they
   * are right. Readers and runs go on meanwhile.
   */
  async rebuild(): Promise<Rebuilding> {
    const result: Rebuilding = { days: 0, differences: [], found: 0 };
    const extent = await this.rollups.extent();
    if (!extent) return result;
    for (let day = startOf(DAY_MS, extent.from); day <= extent.to; day = new Date(day.getTime() + DAY_MS)) {
      const differences = await this.rebuildDay(day);
      result.days += 1;
      result.found += differences.length;
      result.differences.push(...differences.slice(0, LISTED - result.differences.length));
    }
    return result;
  }

  /** False when nothing waits any more. */
  private async nextHours(): Promise<boolean> {
    if (!(await this.rollups.lead())) return false;
    const hours = await this.rollups.takePending(HOURS_AT_ONCE);
    for (const hour of hours) await this.rollups.compute('hour', hour, new Date(hour.getTime() + HOUR_MS));
    const days = new Set(hours.map((hour) => startOf(DAY_MS, hour).getTime()));
    for (const day of days) await this.rollups.compute('day', new Date(day), new Date(day + DAY_MS));
    return hours.length > 0;
  }

  private async rebuildDay(day: Date): Promise<RollupDifference[]> {
    const end = new Date(day.getTime() + DAY_MS);
    return this.transactions.run(async () => {
      await this.rollups.leadWhenFree();
      const differences: RollupDifference[] = [];
      for (const grain of ['hour', 'day'] as const) {
        const wrong = await this.rollups.differences(grain, day, end);
        if (wrong.length > 0) {
          await this.rollups.clear(grain, day, end);
          await this.rollups.compute(grain, day, end);
        }
        differences.push(...wrong);
      }
      return differences;
    });
  }
}

function startOf(unitMs: number, at: Date): Date {
  return new Date(Math.floor(at.getTime() / unitMs) * unitMs);
}
