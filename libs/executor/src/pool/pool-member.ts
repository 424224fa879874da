import type { PooledProcess, ProcessKind } from './pooled-process.js';

/** What a process may serve: a leak in it stays small, and starting anew costs little by then. */
const MOST_USES = 4_000;
/** Waiting for it is cheaper than another process, which has to start and to compile its code. */
const SOON_MS = 500;
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
  /** Somebody waits already until it can be used again. */
  isExpected = false;
  private takenAt = 0;
  private lastUseMs = Infinity;
  private back = Promise.withResolvers<boolean>();

  constructor(
    readonly process: PooledProcess,
    readonly kind: ProcessKind,
    readonly startedAt: number,
  ) {
    this.restedSince = startedAt;
  }

  take(owner: string | undefined, now: number): void {
    this.phase = 'busy';
    this.owner = owner;
    this.uses += 1;
    this.isExpected = false;
    this.takenAt = now;
    this.back = Promise.withResolvers();
  }

  /** The run is over; it is not ready for another one. */
  beginReset(now: number): void {
    this.phase = 'resetting';
    this.lastUseMs = now - this.takenAt;
  }

  rest(now: number): void {
    this.phase = 'rested';
    this.restedSince = now;
    this.back.resolve(true);
  }

  /** It will not rest any more. */
  giveUp(): void {
    this.back.resolve(false);
  }

  /** Of one that is at work: resolves when it can be used again, or to false when it is none any more. */
  get coming(): Promise<boolean> {
    return this.back.promise;
  }

  /** It was quick the last time, and has not taken longer now. */
  isSoonBack(now: number): boolean {
    return this.phase === 'busy' && this.lastUseMs < SOON_MS && now - this.takenAt < SOON_MS;
  }

  isWorn(now: number): boolean {
    return this.uses >= MOST_USES || now - this.startedAt > LONGEST_LIFE_MS;
  }

  get isIdle(): boolean {
    return this.phase === 'fresh' || this.phase === 'rested';
  }
}
