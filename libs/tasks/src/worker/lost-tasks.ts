import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ClaimsRepository } from '../store/claims.repository.js';
import { TaskEndings } from '../store/task-endings.js';
import { Workspaces } from '../workspaces/workspaces.service.js';

const LOOK_EVERY_MS = 2_000;
const CLEAR_EVERY_MS = 60_000;

/**
 * Finds what lost workers left: their tasks, and the folders of these, within seconds of the end of their
 * leases, other folders within a minute. Runs in every worker; each task is settled by one of them.
 */
@Injectable()
export class LostTasks implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(LostTasks.name);
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly working = new Map<string, Promise<void>>();

  constructor(
    private readonly claims: ClaimsRepository,
    private readonly endings: TaskEndings,
    private readonly workspaces: Workspaces,
  ) {}

  onApplicationBootstrap(): void {
    this.every(LOOK_EVERY_MS, 'lost tasks', () => this.settle());
    this.every(CLEAR_EVERY_MS, 'left folders', () => this.clear());
  }

  async onModuleDestroy(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.working.values());
  }

  private async settle(): Promise<void> {
    let count = 0;
    while (await this.endings.settleLost()) count += 1;
    if (count === 0) return;
    this.logger.warn({ msg: 'settled tasks of a lost worker', tasks: count });
    await this.clear();
  }

  private clear(): Promise<void> {
    return this.workspaces.sweep((id, attempt) => this.claims.isRunning(id, attempt));
  }

  /** At once too; never twice at the same time, and a failure is for the next time. */
  private every(ms: number, what: string, work: () => Promise<void>): void {
    const once = () => {
      if (this.working.has(what)) return;
      const done = work()
        .catch((error: unknown) => this.logger.warn({ msg: `could not look for ${what}`, err: error }))
        .finally(() => this.working.delete(what));
      this.working.set(what, done);
    };
    once();
    this.timers.push(setInterval(once, ms));
  }
}
