import { PoolMember } from './pool-member.js';
import type { PooledProcess, ProcessKind } from './pooled-process.js';

export type WhyEnded = 'worn' | 'evicted' | 'failed';

/** The processes of the pool. One that has ended is none of them any more, whoever ended it. */
export class PoolMembers implements Iterable<PoolMember> {
  readonly ended: Record<WhyEnded, number> = { worn: 0, evicted: 0, failed: 0 };
  private readonly members = new Set<PoolMember>();
  private readonly underWay = new Set<Promise<unknown>>();

  [Symbol.iterator](): Iterator<PoolMember> {
    return this.members.values();
  }

  get size(): number {
    return this.members.size;
  }

  /** How many serve somebody, or are being reset. */
  get atWork(): number {
    return [...this.members].filter(({ isIdle }) => !isIdle).length;
  }

  has(member: PoolMember): boolean {
    return this.members.has(member);
  }

  /** Starts one; it is a member once it can be used. */
  start(kind: ProcessKind, clock: () => number): Promise<PoolMember> {
    return this.track(this.started(kind, clock));
  }

  /** Resolves when nothing of it is left. */
  async end(member: PoolMember, why?: WhyEnded): Promise<void> {
    if (this.members.delete(member) && why) this.ended[why] += 1;
    member.giveUp();
    await this.track(member.process.end());
  }

  async endAll(): Promise<void> {
    do {
      for (const member of this.members) void this.end(member);
      await Promise.allSettled(this.underWay);
    } while (this.members.size > 0 || this.underWay.size > 0);
  }

  of({ fingerprint }: ProcessKind): PoolMember[] {
    return [...this.members].filter(({ kind }) => kind.fingerprint === fingerprint);
  }

  fresh(kind: ProcessKind): PoolMember | undefined {
    return this.of(kind).find(({ phase }) => phase === 'fresh');
  }

  /** The one that rested last: the others may so rest until they are not needed any more. */
  rested(kind: ProcessKind, owner: string): PoolMember | undefined {
    const rested = this.unexpected(kind, owner).filter(({ phase }) => phase === 'rested');
    return rested.toSorted((a, b) => b.restedSince - a.restedSince)[0];
  }

  resetting(kind: ProcessKind, owner: string): PoolMember | undefined {
    return this.unexpected(kind, owner).find(({ phase }) => phase === 'resetting');
  }

  /** At work, but not for long. */
  soonBack(kind: ProcessKind, owner: string, now: number): PoolMember | undefined {
    return this.unexpected(kind, owner).find((each) => each.isSoonBack(now));
  }

  private unexpected(kind: ProcessKind, owner: string): PoolMember[] {
    return this.of(kind).filter((each) => each.owner === owner && !each.isExpected);
  }

  private async started(kind: ProcessKind, clock: () => number): Promise<PoolMember> {
    const process = await kind.start();
    const member = new PoolMember(process, kind, clock());
    this.members.add(member);
    void this.follow(member, process);
    return member;
  }

  /** What one that dies at work has still to tell is for the run that has it, which then ends it. */
  private async follow(member: PoolMember, process: PooledProcess): Promise<void> {
    await process.gone;
    if (member.phase !== 'busy') await this.end(member, 'failed');
  }

  /** What a shutdown has to wait for. */
  private async track<T>(work: Promise<T>): Promise<T> {
    this.underWay.add(work);
    try {
      return await work;
    } finally {
      this.underWay.delete(work);
    }
  }
}
