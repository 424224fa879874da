import { Logger } from '@nestjs/common';
import type { PoolDemand } from './pool-demand.js';
import { LONGEST_LIFE_MS, type PoolMember } from './pool-member.js';
import type { PoolMembers } from './pool-members.js';
import type { PoolRoom } from './pool-room.js';
import type { ProcessKind } from './pooled-process.js';
import { StartBackoff } from './start-backoff.js';

const LONGEST_REST_MS = 5 * 60_000;

/** Keeps as many processes as will be needed and as there is room for. Starts one at a time: each takes a CPU. */
export class PoolKeeper {
  private readonly logger = new Logger('ProcessPool');
  /** What somebody has asked for in the last minutes. */
  private readonly kinds = new Map<string, ProcessKind>();
  private readonly backoff = new StartBackoff();
  private isStarting = false;
  private isClosed = false;

  constructor(
    private readonly members: PoolMembers,
    private readonly demand: PoolDemand,
    private readonly room: PoolRoom,
    private readonly clock: () => number,
  ) {}

  /** Somebody needed a process of this kind that had served nobody. */
  note(kind: ProcessKind): void {
    this.kinds.set(kind.fingerprint, kind);
    this.demand.note(kind.fingerprint, this.clock());
  }

  close(): void {
    this.isClosed = true;
  }

  /** Closes what is not needed, makes room, and starts what will be needed. */
  look(): void {
    if (this.isClosed) return;
    for (const member of this.surplus()) void this.members.end(member, 'evicted');
    if (this.isStarting) return;
    const kind = [...this.kinds.values()].find((each) => this.isShort(each));
    if (kind && this.room.hasMore(this.members)) void this.startSpare(kind);
  }

  private isShort(kind: ProcessKind): boolean {
    const { fingerprint } = kind;
    const wanted = this.demand.wanted(fingerprint, this.clock());
    if (wanted === 0) this.kinds.delete(fingerprint);
    const fresh = this.members.of(kind).filter(({ phase }) => phase === 'fresh').length;
    return fresh < wanted && this.backoff.allows(fingerprint, this.clock());
  }

  private async startSpare(kind: ProcessKind): Promise<void> {
    this.isStarting = true;
    try {
      const member = await this.members.start(kind, this.clock);
      this.backoff.succeeded(kind.fingerprint);
      if (this.isClosed) await this.members.end(member);
    } catch (error) {
      this.backoff.failed(kind.fingerprint, this.clock());
      this.logger.warn({ msg: 'no spare process could be started', kind: kind.label, err: error });
    }
    this.isStarting = false;
    setImmediate(() => this.look());
  }

  private *surplus(): Generator<PoolMember> {
    for (const member of this.members) if (member.isIdle && this.isUnneeded(member)) yield member;
    yield* this.room.tooMany(this.members);
  }

  private isUnneeded({ phase, kind, restedSince, startedAt }: PoolMember): boolean {
    const now = this.clock();
    if (now - startedAt > LONGEST_LIFE_MS) return true;
    if (phase === 'fresh') return this.demand.wanted(kind.fingerprint, now) === 0;
    return now - restedSince > LONGEST_REST_MS;
  }
}
