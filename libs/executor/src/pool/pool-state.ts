/** Processes of one kind: how many there are in each phase, and how often they were used. */
export interface PoolKindState {
  fingerprint: string;
  label: string;
  fresh: number;
  busy: number;
  resetting: number;
  rested: number;
  uses: number;
  memory_bytes: number;
}

/** What the pool of this process holds, and what became of those who asked it. */
export interface PoolState {
  enabled: boolean;
  recycling: boolean;
  processes: number;
  memory_bytes: number;
  memory_limit_bytes: number;
  /** Runs that found a process ready: one that had served the same key, or one that had served nobody. */
  hits: { recycled: number; fresh: number };
  /** Runs that had to wait for a new process. */
  misses: number;
  /** Processes that ended: for age or number of uses, for room or idleness, or because something was wrong. */
  ended: { worn: number; evicted: number; failed: number };
  /** Runs that the pool could not serve to the end and that started anew outside of it. */
  rescued: number;
  kinds: PoolKindState[];
}
