import { Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import { Clock } from '@app/common';
import { LRUCache } from 'lru-cache';

const MOST_NETWORKS = 50_000;

/** What one network did in a stretch of time that began with its first request. */
interface Window {
  hits: number;
  endsAt: number;
}

type Count = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Counts what comes from where, in this process, in fixed windows. Bounded: of very many networks those that were
 * quiet the longest are forgotten. (The throttler's own storage has a timer for every hit, which halves throughput.)
 */
@Injectable()
export class StrangerCounts implements ThrottlerStorage {
  private readonly windows = new LRUCache<string, Window>({ max: MOST_NETWORKS });

  constructor(private readonly clock: Clock) {}

  async increment(key: string, ttlMs: number, limit: number): Promise<Count> {
    return this.add(key, ttlMs, limit);
  }

  /** Times in the answer are whole seconds. */
  add(key: string, ttlMs: number, limit: number): Count {
    const now = this.clock.monotonicMs();
    let window = this.windows.get(key);
    if (!window || window.endsAt <= now) {
      window = { hits: 0, endsAt: now + ttlMs };
      this.windows.set(key, window);
    }
    window.hits += 1;
    const seconds = Math.ceil((window.endsAt - now) / 1000);
    const isBlocked = window.hits > limit;
    return { totalHits: window.hits, timeToExpire: seconds, isBlocked, timeToBlockExpire: seconds };
  }

  /** 0 = there is room for another one. */
  secondsUntilFewer(key: string, limit: number): number {
    const window = this.windows.get(key);
    const now = this.clock.monotonicMs();
    if (!window || window.endsAt <= now || window.hits < limit) return 0;
    return Math.ceil((window.endsAt - now) / 1000);
  }
}
