import { availableParallelism } from 'node:os';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import type { PoolStateDto } from './dto/pool-state.dto.js';
import { PoolDemand } from './pool-demand.js';
import { PoolKeeper } from './pool-keeper.js';
import type { PoolMember } from './pool-member.js';
import { PoolMembers } from './pool-members.js';
import { PoolRoom } from './pool-room.js';
import type { Claim, PooledProcess, ProcessKind } from './pooled-process.js';
import { stateOf } from './state-of.js';

const LOOK_EVERY_MS = 1_000;
/** More than a reset takes on a busy machine. */
const RESET_WITHIN_MS = 2_000;
/** What an owner waits at most for a process of its own: what another takes to start while the CPUs are busy. */
const OWN_WITHIN_MS = 1_000;
/** What is left to do for the answer, which waits for the same CPUs. */
const ANSWER_GOES_FIRST_MS = 4;
/** How long a process that was taken has the machine for itself before another is started in its place. */
const REPLACED_AFTER_MS = 250;
/** An owner that has so many waits for a reset, of milliseconds, instead of having one more. */
const ENOUGH_TO_WAIT = 2;
/** When so many are at work, one more would only wait for a CPU, and be slower than one that is warm. */
const ENOUGH_AT_WORK = availableParallelism();

/**
 * Processes of the CLI that are ready before they are needed. Guarantees: a process that has served somebody
 * serves only the same owner again, and only after a proven reset; what they take together stays within the
 * budget for as long as they are not at work; no run waits here longer than a new process would take; after
 * shutdown none is left.
 */
@Injectable()
export class ProcessPool implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(ProcessPool.name);
  private readonly members = new PoolMembers();
  private readonly keeper: PoolKeeper;
  private readonly room: PoolRoom;
  private readonly counts = { hits: { recycled: 0, fresh: 0 }, misses: 0, rescued: 0 };
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
  ) {
    this.room = new PoolRoom(config.pool.memoryBytes);
    this.keeper = new PoolKeeper(this.members, new PoolDemand(config.maxRuns), this.room, this.now);
  }

  onModuleInit(): void {
    if (this.config.pool.enabled) this.timer = setInterval(() => this.keeper.look(), LOOK_EVERY_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    this.keeper.close();
    await this.members.endAll();
  }

  get isEnabled(): boolean {
    return this.config.pool.enabled && !this.isClosed;
  }

  /** A process for one run: one that the owner had, one that nobody had, or a new one. Rejects when none starts. */
  async claim<P extends PooledProcess>(kind: ProcessKind<P>, owner?: string): Promise<Claim<P>> {
    const member = (owner !== undefined && (await this.own(kind, owner))) || this.fresh(kind);
    if (member) return this.hand<P>(member, owner, true);
    this.miss(kind);
    const claim = this.hand<P>(await this.members.start(kind, this.now), owner, false);
    if (!this.isClosed) return claim;
    await claim.discard();
    throw new Error('the pool is closed');
  }

  /** One that is ready and has served nobody. Where there is none, there soon will be. */
  take<P extends PooledProcess>(kind: ProcessKind<P>): Claim<P> | undefined {
    const member = this.fresh(kind);
    if (!member) this.miss(kind);
    return member && this.hand<P>(member, undefined, true);
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
      ...structuredClone({ ...this.counts, ended: this.members.ended }),
      kinds: stateOf(this.members),
    };
  }

  private async own(kind: ProcessKind, owner: string): Promise<PoolMember | undefined> {
    const isBusy = this.members.atWork >= ENOUGH_AT_WORK;
    const member = await (isBusy ? this.warmest(kind, owner) : this.quickest(kind, owner));
    if (member) this.counts.hits.recycled += 1;
    return member;
  }

  /** The CPUs are busy: few processes that are used much take less of them than many. */
  private async warmest(kind: ProcessKind, owner: string): Promise<PoolMember | undefined> {
    return (
      (await this.awaited(this.members.resetting(kind, owner))) ??
      this.members.rested(kind, owner) ??
      (await this.awaited(this.members.soonBack(kind, owner, this.now())))
    );
  }

  /** An owner that comes back before its process is reset gets a second one, from then on. */
  private async quickest(kind: ProcessKind, owner: string): Promise<PoolMember | undefined> {
    const rested = this.members.rested(kind, owner);
    const resetting = this.members.resetting(kind, owner);
    if (rested || !resetting) return rested;
    const owned = this.members.of(kind).filter((each) => each.owner === owner).length;
    if (owned < ENOUGH_TO_WAIT) {
      if (this.members.fresh(kind)) return undefined;
      this.keeper.note(kind);
    }
    return this.awaited(resetting);
  }

  /** Undefined = there is none, or it is not there in time. */
  private async awaited(member: PoolMember | undefined): Promise<PoolMember | undefined> {
    if (!member) return undefined;
    member.isExpected = true;
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), OWN_WITHIN_MS);
    const isThere = await Promise.race([member.coming, late.promise]).finally(() => clearTimeout(timer));
    if (isThere) return member;
    member.isExpected = false;
    return undefined;
  }

  private fresh(kind: ProcessKind): PoolMember | undefined {
    const member = this.members.fresh(kind);
    if (!member) return undefined;
    this.counts.hits.fresh += 1;
    this.keeper.note(kind);
    return member;
  }

  private miss(kind: ProcessKind): void {
    this.counts.misses += 1;
    this.keeper.note(kind);
  }

  private hand<P extends PooledProcess>(
    member: PoolMember,
    owner: string | undefined,
    warm: boolean,
  ): Claim<P> {
    const isFirst = member.uses === 0;
    member.take(owner, this.now());
    // For a new process, and for one that begins with its task, the CPU is needed now.
    if (isFirst && warm) setTimeout(() => this.keeper.look(), REPLACED_AFTER_MS).unref();
    return {
      ...{ process: member.process as P, warm },
      giveBack: () => this.rest(member),
      discard: () => this.members.end(member),
    };
  }

  /** After the answer, off the way of the next one. */
  private rest(member: PoolMember): void {
    const mayRecycle = this.isEnabled && this.config.pool.recycle && member.owner !== undefined;
    if (!mayRecycle || member.isWorn(this.now())) return void this.members.end(member, 'worn');
    member.beginReset(this.now());
    void this.reset(member);
  }

  private async reset(member: PoolMember): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('its reset took too long')), RESET_WITHIN_MS);
    try {
      await new Promise((resolve) => setTimeout(resolve, ANSWER_GOES_FIRST_MS));
      await Promise.race([member.process.reset(), late.promise]);
    } catch (error) {
      const { label } = member.kind;
      this.logger.warn({ msg: 'a process could not be reset and was ended', kind: label, err: error });
      return void this.members.end(member, 'failed');
    } finally {
      clearTimeout(timer);
    }
    if (this.members.has(member)) member.rest(this.now());
  }

  private readonly now = (): number => this.clock.monotonicMs();
}
