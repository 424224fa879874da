import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { Notifications } from '@app/database';
import { CANCEL_CHANNEL, ClaimsRepository, LEASE_SECONDS } from '../store/claims.repository.js';
import type { Claim } from '../task.js';
import { Hold } from './hold.js';

const RENEW_EVERY_MS = 3_000;
const WATCH_EVERY_MS = 500;

/**
 * The tasks that this process has in hand. Keeps their leases; ends the run of one that somebody wants cancelled,
 * and at once the run of one that is, or may be, in other hands.
 */
@Injectable()
export class HeldTasks implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(HeldTasks.name);
  private readonly holds = new Map<string, Hold>();
  private readonly timers: NodeJS.Timeout[] = [];
  private renewing = false;

  constructor(
    private readonly claims: ClaimsRepository,
    private readonly notifications: Notifications,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.notifications.listen(CANCEL_CHANNEL, (id) => this.holds.get(id)?.cancel());
    this.timers.push(
      setInterval(() => void this.renew(), RENEW_EVERY_MS),
      setInterval(() => this.watch(), WATCH_EVERY_MS),
    );
  }

  onApplicationShutdown(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  get count(): number {
    return this.holds.size;
  }

  /** `claimedAt`: a moment before the claim, on the monotonic clock. */
  take(claim: Claim, claimedAt: number): Hold {
    // Lost, settled and taken again before the old run has noticed.
    this.holds.get(claim.id)?.lose();
    const hold = new Hold(claim, claimedAt + LEASE_SECONDS * 1000);
    this.holds.set(claim.id, hold);
    return hold;
  }

  drop(hold: Hold): void {
    if (this.holds.get(hold.claim.id) === hold) this.holds.delete(hold.claim.id);
  }

  /** Also brings the cancels whose notification was lost. */
  private async renew(): Promise<void> {
    if (this.renewing || this.holds.size === 0) return;
    this.renewing = true;
    const [holds, askedAt] = [[...this.holds.values()], this.clock.monotonicMs()];
    try {
      const ours = new Map(
        (await this.claims.renew(holds.map(({ claim }) => claim))).map((row) => [row.id, row]),
      );
      for (const hold of holds) {
        const row = ours.get(hold.claim.id);
        if (!row) this.loseIfHeld(hold);
        else hold.sureUntil = askedAt + LEASE_SECONDS * 1000;
        if (row?.cancelled && !hold.cancelled) hold.cancel();
      }
    } catch (error) {
      this.logger.warn({ msg: 'the leases of tasks could not be renewed: trying again', err: error });
    } finally {
      this.renewing = false;
    }
  }

  /** Without a renewal in time, another worker may have taken it: two must never work on one task. */
  private watch(): void {
    const now = this.clock.monotonicMs();
    for (const hold of this.holds.values()) if (now > hold.sureUntil) this.loseIfHeld(hold);
  }

  private loseIfHeld(hold: Hold): void {
    // One that has just been ended here is nobody's any more.
    if (hold.lost || this.holds.get(hold.claim.id) !== hold) return;
    this.logger.warn({ msg: 'lost a task to another worker', task_id: hold.claim.id });
    hold.lose();
  }
}
