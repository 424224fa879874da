import type { PooledProcess, ProcessKind } from './pooled-process.js';

/** What a process may serve: a leak in it stays small, and starting anew costs little by then. */
const MOST_USES = 2_000;
export const LONGEST_LIFE_MS = 30 * 60_000;

/** `fresh` has served nobody; the others belong to their owner. */
export type MemberPhase = 'fresh' | 'busy' | 'resetting' | 'rested';

/** One process of the pool and what the pool remembers of it. */
export class PoolMember {
  phase: MemberPhase = 'fresh';
  /** Whom it has served, and may serve again. */
  owner: string | undefined;
  uses = 0;
  /** When it was last used or started; monotonic milliseconds. */
  restedSince: number;
  /** Resolves when it can be used again, or to false when it is none any more. */
  coming: Promise<boolean> | undefined;
  /** Somebody waits for its reset already. */
  isExpected = false;

  constructor(
    readonly process: PooledProcess,
    readonly kind: ProcessKind,
    readonly startedAt: number,
  ) {
    this.restedSince = startedAt;
  }

  take(owner: string | undefined): void {
    this.phase = 'busy';
    this.owner = owner;
    this.uses += 1;
    this.isExpected = false;
  }

  isWorn(now: number): boolean {
    return this.uses >= MOST_USES || now - this.startedAt > LONGEST_LIFE_MS;
  }

  get isIdle(): boolean {
    return this.phase === 'fresh' || this.phase === 'rested';
  }
}
