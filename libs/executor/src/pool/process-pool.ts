import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { PoolDemand } from './pool-demand.js';
import { PoolMember } from './pool-member.js';
import { PoolRoom } from './pool-room.js';
import type { PoolStateDto } from './dto/pool-state.dto.js';
import type { Claim, PooledProcess, ProcessKind } from './pooled-process.js';
import { stateOf } from './state-of.js';
import { StartBackoff } from './start-backoff.js';

const LOOK_EVERY_MS = 1_000;
/** What a process may serve: a leak in it stays small, and starting anew costs little by then. */
const MOST_USES = 500;
const LONGEST_LIFE_MS = 30 * 60_000;
const LONGEST_REST_MS = 5 * 60_000;
/** More than a reset takes on a busy machine, less than a new process. */
const RESET_WITHIN_MS = 2_000;

/**
 * Processes of the CLI that are ready before they are needed. Guarantees: a process that has served somebody
 * serves only the same owner again, and only after a proven reset; what they take together stays within the
 * budget for as long as they are not at work; nothing here is on the way of a run for longer than a new process
 * would be; after shutdown none is left.
 */
@Injectable()
export class ProcessPool implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(ProcessPool.name);
  private readonly members = new Set<PoolMember>();
  private readonly kinds = new Map<string, ProcessKind>();
  private readonly demand: PoolDemand;
  private readonly room: PoolRoom;
  private readonly backoff = new StartBackoff();
  private readonly ending = new Set<Promise<unknown>>();
  private readonly counts = {
    ...{ hits: { recycled: 0, fresh: 0 }, misses: 0, rescued: 0 },
    ended: { worn: 0, evicted: 0, failed: 0 },
  };
  private timer: NodeJS.Timeout | undefined;
  private isStarting = false;
  private isClosed = false;

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
  ) {
    this.demand = new PoolDemand(config.maxRuns);
    this.room = new PoolRoom(config.pool.memoryBytes);
  }

  onModuleInit(): void {
    if (this.config.pool.enabled) this.timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    for (const member of this.members) void this.end(member);
    while (this.ending.size > 0) await Promise.all(this.ending);
  }

  get isEnabled(): boolean {
    return this.config.pool.enabled && !this.isClosed;
  }

  /** A process for one run: one that the owner had, one that nobody had, or a new one. Rejects when none starts. */
  async claim<P extends PooledProcess>(kind: ProcessKind<P>, owner?: string): Promise<Claim<P>> {
    this.kinds.set(kind.fingerprint, kind);
    const member = this.find(kind, owner) ?? (await this.awaitReset(kind, owner));
    if (member) return this.hand<P>(member, owner, true);
    this.counts.misses += 1;
    this.demand.note(kind.fingerprint, this.now);
    const process = await this.track(kind.start());
    const started = this.add(kind, process);
    const claim = this.hand<P>(started, owner, false);
    if (!this.isClosed) return claim;
    await claim.discard();
    throw new Error('the pool is closed');
  }

  /** One that is ready and has served nobody. Where there is none, there soon will be. */
  take<P extends PooledProcess>(kind: ProcessKind<P>): Claim<P> | undefined {
    this.kinds.set(kind.fingerprint, kind);
    const member = this.find(kind, undefined);
    if (member) return this.hand<P>(member, undefined, true);
    this.counts.misses += 1;
    this.demand.note(kind.fingerprint, this.now);
    return undefined;
  }

  /** A run could not be served by its process to the end, and has started anew. */
  rescued(): void {
    this.counts.rescued += 1;
  }

  state(): PoolStateDto {
    const { enabled, recycle, memoryBytes } = this.config.pool;
    return {
      ...{ enabled, recycling: enabled && recycle, processes: this.members.size },
      ...{ memory_bytes: this.room.taken(this.members), memory_limit_bytes: memoryBytes },
      ...structuredClone(this.counts),
      kinds: stateOf(this.members),
    };
  }

  private find(kind: ProcessKind, owner: string | undefined): PoolMember | undefined {
    const ready = this.of(kind).filter(({ isIdle }) => isIdle);
    // The one that rested last: the others may so rest until they are not needed any more.
    const own = ready.filter((each) => each.phase === 'rested' && each.owner === owner && !each.isExpected);
    const rested = own.toSorted((a, b) => b.restedSince - a.restedSince)[0];
    if (rested) {
      this.counts.hits.recycled += 1;
      return rested;
    }
    const fresh = ready.find(({ phase }) => phase === 'fresh');
    if (!fresh) return undefined;
    this.counts.hits.fresh += 1;
    this.demand.note(kind.fingerprint, this.now);
    return fresh;
  }

  /** Its owner is back before it is reset: that takes milliseconds, a new process hundreds of them. */
  private async awaitReset(kind: ProcessKind, owner: string | undefined): Promise<PoolMember | undefined> {
    const member = this.of(kind).find((each) => each.coming && each.owner === owner && !each.isExpected);
    if (!member || owner === undefined) return undefined;
    member.isExpected = true;
    // One more of them, and nobody will have to wait.
    this.demand.note(kind.fingerprint, this.now);
    this.look();
    if (!(await member.coming)) return undefined;
    this.counts.hits.recycled += 1;
    return member;
  }

  private hand<P extends PooledProcess>(
    member: PoolMember,
    owner: string | undefined,
    warm: boolean,
  ): Claim<P> {
    member.take(owner);
    if (warm) setImmediate(() => this.look());
    return {
      ...{ process: member.process as P, warm },
      giveBack: () => this.rest(member),
      discard: () => this.end(member),
    };
  }

  /** After the answer, off the way of the next one. */
  private rest(member: PoolMember): void {
    const isWorn =
      member.uses >= MOST_USES || this.now - member.startedAt > LONGEST_LIFE_MS || !this.mayRecycle(member);
    if (isWorn) return void this.end(member, 'worn');
    member.phase = 'resetting';
    member.coming = this.reset(member);
  }

  private mayRecycle({ owner }: PoolMember): boolean {
    return this.isEnabled && this.config.pool.recycle && owner !== undefined;
  }

  private async reset(member: PoolMember): Promise<boolean> {
    const late = AbortSignal.timeout(RESET_WITHIN_MS);
    const tooLate = new Promise<never>((_, reject) => {
      late.addEventListener('abort', () => reject(new Error('its reset took too long')));
    });
    try {
      await Promise.race([member.process.reset(), tooLate]);
    } catch (error) {
      this.logger.warn({
        msg: 'a process could not be reset and was ended',
        kind: member.kind.label,
        err: error,
      });
      void this.end(member, 'failed');
      return false;
    } finally {
      member.coming = undefined;
    }
    if (!this.members.has(member)) return false;
    member.phase = 'rested';
    member.restedSince = this.now;
    return true;
  }

  private add(kind: ProcessKind, process: PooledProcess): PoolMember {
    const member = new PoolMember(process, kind, this.now);
    this.members.add(member);
    void this.follow(member);
    return member;
  }

  /** What one that dies at work has still to tell is for the run that has it, which then ends it. */
  private async follow(member: PoolMember): Promise<void> {
    await member.process.gone;
    if (member.phase !== 'busy') await this.end(member, 'failed');
  }

  private async end(member: PoolMember, why?: keyof typeof this.counts.ended): Promise<void> {
    if (this.members.delete(member) && why) this.counts.ended[why] += 1;
    await this.track(member.process.end());
  }

  /** Closes what is not needed, makes room, and starts what will be. Never two starts at once. */
  private look(): void {
    if (!this.isEnabled) return;
    for (const member of this.surplus()) void this.end(member, 'evicted');
    if (this.isStarting) return;
    const kind = [...this.kinds.values()].find((each) => this.isShort(each));
    if (!kind || !this.room.hasMore(this.members)) return;
    this.isStarting = true;
    void this.startSpare(kind).finally(() => {
      this.isStarting = false;
      setImmediate(() => this.look());
    });
  }

  private isShort(kind: ProcessKind): boolean {
    if (!this.backoff.allows(kind.fingerprint, this.now)) return false;
    const fresh = this.of(kind).filter(({ phase }) => phase === 'fresh').length;
    const wanted = this.demand.wanted(kind.fingerprint, this.now);
    if (wanted === 0 && this.of(kind).length === 0) this.kinds.delete(kind.fingerprint);
    return fresh < wanted;
  }

  private async startSpare(kind: ProcessKind): Promise<void> {
    try {
      const process = await this.track(kind.start());
      this.backoff.succeeded(kind.fingerprint);
      const member = this.add(kind, process);
      if (this.isClosed) await this.end(member);
    } catch (error) {
      this.backoff.failed(kind.fingerprint, this.now);
      this.logger.warn({ msg: 'no spare process could be started', kind: kind.label, err: error });
    }
  }

  private *surplus(): Generator<PoolMember> {
    const idle = [...this.members].filter(({ isIdle }) => isIdle);
    for (const member of idle) {
      const { phase, restedSince, startedAt, kind } = member;
      const isOld = this.now - startedAt > LONGEST_LIFE_MS;
      const isUnwanted =
        phase === 'fresh'
          ? this.demand.wanted(kind.fingerprint, this.now) === 0
          : this.now - restedSince > LONGEST_REST_MS;
      if (isOld || isUnwanted) yield member;
    }
    yield* this.room.tooMany(this.members);
  }

  private of({ fingerprint }: ProcessKind): PoolMember[] {
    return [...this.members].filter(({ kind }) => kind.fingerprint === fingerprint);
  }

  /** What shutdown has to wait for. */
  private async track<T>(work: Promise<T>): Promise<T> {
    this.ending.add(work);
    try {
      return await work;
    } finally {
      this.ending.delete(work);
    }
  }

  private get now(): number {
    return this.clock.monotonicMs();
  }
}
