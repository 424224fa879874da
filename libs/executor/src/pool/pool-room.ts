import type { PoolMember } from './pool-member.js';

const MEBIBYTE = 1024 * 1024;
/** Of a process that cannot be seen, or is only about to be. */
const USUAL_BYTES = 200 * MEBIBYTE;
/** The machine, or the container, must keep so much for everything else. */
const LEAST_FREE_BYTES = 512 * MEBIBYTE;

/** Whether there is memory for another process, and which have to go when there is none. */
export class PoolRoom {
  constructor(
    private readonly budget: number,
    private readonly freeBytes = () => process.availableMemory(),
  ) {}

  taken(members: Iterable<PoolMember>): number {
    let bytes = 0;
    for (const { process } of members) bytes += process.memoryBytes() || USUAL_BYTES;
    return bytes;
  }

  hasMore(members: Iterable<PoolMember>): boolean {
    return (
      this.taken(members) + USUAL_BYTES <= this.budget && this.freeBytes() > LEAST_FREE_BYTES + USUAL_BYTES
    );
  }

  /** The longest unused first. Those at work are left to their runs. */
  *tooMany(members: Iterable<PoolMember>): Generator<PoolMember> {
    const all = [...members];
    let excess = Math.max(this.taken(all) - this.budget, LEAST_FREE_BYTES - this.freeBytes());
    for (const member of all
      .filter(({ isIdle }) => isIdle)
      .toSorted((a, b) => a.restedSince - b.restedSince)) {
      if (excess <= 0) return;
      excess -= member.process.memoryBytes() || USUAL_BYTES;
      yield member;
    }
  }
}
