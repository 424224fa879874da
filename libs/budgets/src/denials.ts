import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '@app/common';
import { Notifications } from '@app/database';
import type { Admission, BudgetRefusal, RateState } from './allowance.js';
import { budgetExceeded, rateLimited } from './budget.errors.js';
import type { Amounts } from './run-account.js';

/** Its payload is the project whose budgets have changed. */
export const BUDGETS_CHANNEL = 'budgets_changed';

const MOST_KEYS = 10_000;
/** A notification may be lost: then an old denial lives so long at most. */
const LONGEST_MS = 60_000;

interface Denial {
  rate?: RateState & { untilMs: number };
  budget?: { refusal: BudgetRefusal; untilMs: number };
}

/**
 * Remembers what the database has denied to a key, so that a flood of a denied caller costs no query. Only what no
 * other run can change: a rate until its next place, a budget that would not pay even if all holds came back. A
 * change of the key or of any budget makes it forget.
 */
@Injectable()
export class Denials implements OnModuleInit {
  private readonly of = new LRUCache<string, Denial>({ max: MOST_KEYS });
  private changes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly notifications: Notifications,
  ) {}

  onModuleInit(): void {
    this.notifications.listen(BUDGETS_CHANNEL, () => this.forgetAll());
    this.notifications.onReconnect(() => this.forgetAll());
  }

  /** Also for who has just changed a budget here: its answer must not come before the word of it. */
  forgetAll(): void {
    this.changes += 1;
    this.of.clear();
  }

  forget(keyId: string): void {
    this.changes += 1;
    this.of.delete(keyId);
  }

  /** Throws what the database would say too. `first` is null for work that only waits. */
  require(keyId: string, { rated, first }: { rated: boolean; first: Amounts | null }): void {
    const denial = this.of.get(keyId);
    if (!denial) return;
    const now = this.clock.monotonicMs();
    const { rate, budget } = denial;
    if (rated && rate && rate.untilMs > now) {
      const waitedSeconds = (rate.untilMs - now) / 1000;
      throw rateLimited({ ...rate, resetSeconds: rate.resetSeconds + waitedSeconds }, waitedSeconds);
    }
    if (budget && budget.untilMs > now && exceeds(first, budget.refusal))
      throw budgetExceeded(budget.refusal);
  }

  /** Asks the database, and remembers when it says no for a while. */
  async watch(keyId: string, ask: () => Promise<Admission>): Promise<Admission> {
    const { changes } = this;
    const admission = await ask();
    // What changed meanwhile may be what it was denied for.
    if (changes === this.changes && this.notifications.connected) this.remember(keyId, admission);
    return admission;
  }

  private remember(keyId: string, admission: Admission): void {
    const now = this.clock.monotonicMs();
    const known = this.of.get(keyId);
    if (admission.verdict === 'rate') {
      const { rate, retryAfterSeconds } = admission;
      // Of the moment at which there is a place again.
      const later = { ...rate, resetSeconds: rate.resetSeconds - retryAfterSeconds };
      this.of.set(keyId, { ...known, rate: { ...later, untilMs: now + retryAfterSeconds * 1000 } });
    }
    if (admission.verdict === 'budget') {
      const { refusal } = admission;
      const untilReset = refusal.resetsAt
        ? refusal.resetsAt.getTime() - this.clock.now().getTime()
        : Infinity;
      const untilMs = now + Math.min(untilReset, LONGEST_MS);
      this.of.set(keyId, { ...known, budget: { refusal, untilMs } });
    }
  }
}

/** Work that waits needs something, a run its first call. */
function exceeds(first: Amounts | null, { unit, free }: BudgetRefusal): boolean {
  if (first === null || unit === 'requests') return free <= 0n;
  return (unit === 'usd' ? first.nano : first.tokens) > free;
}
