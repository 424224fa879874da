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

  /** Those that are missed least come first. Those at work are left to their runs. */
  *tooMany(members: Iterable<PoolMember>): Generator<PoolMember> {
    const all = [...members];
    let excess = Math.max(this.taken(all) - this.budget, LEAST_FREE_BYTES - this.freeBytes());
    if (excess <= 0) return;
    for (const member of inTurn(all)) {
      if (excess <= 0) return;
      excess -= member.process.memoryBytes() || USUAL_BYTES;
      yield member;
    }
  }
}

/** What an owner has besides the one that it used last goes before all others; within both, the longest unused. */
function inTurn(all: PoolMember[]): PoolMember[] {
  const owners = new Set<string>();
  const recentFirst = all.toSorted((a, b) => b.restedSince - a.restedSince);
  const extra = recentFirst.filter(({ owner, kind }) => {
    const whose = `${kind.fingerprint} ${owner}`;
    const isExtra = owner !== undefined && owners.has(whose);
    owners.add(whose);
    return isExtra;
  });
  const others = recentFirst.filter((member) => !extra.includes(member));
  return [...extra.toReversed(), ...others.toReversed()].filter(({ isIdle }) => isIdle);
}
