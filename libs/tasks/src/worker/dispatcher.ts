import { randomUUID } from 'node:crypto';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { Notifications } from '@app/database';
import { QUEUE_CHANNEL } from '../store/task-queue.js';
import { HeldTasks } from './held-tasks.js';
import { TaskRunner } from './task-runner.js';
import { Turns } from './turns.js';
import { Wake } from './wake.js';

const POLL_MS = 1_000;
/** At shutdown, when all runs have been cut: how long writing their ends may take. */
const LAST_WRITES_MS = 10_000;

/** Starts waiting tasks as soon as there is one and a place for it: at most `MAX_RUNS` at once in this process. */
@Injectable()
export class Dispatcher implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly logger = new Logger(Dispatcher.name);
  private readonly worker = randomUUID();
  private readonly running = new Set<Promise<void>>();
  private readonly wake = new Wake();
  private stopped = false;
  private looping: Promise<void> | undefined;

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly notifications: Notifications,
    private readonly turns: Turns,
    private readonly held: HeldTasks,
    private readonly runner: TaskRunner,
  ) {}

  onApplicationBootstrap(): void {
    this.notifications.listen(QUEUE_CHANNEL, () => this.wake.now());
    this.notifications.onReconnect(() => this.wake.now());
    this.looping = this.loop();
  }

  /** Takes nothing new. What runs is cut, after its time, by whoever knows of all runs. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    this.wake.now();
    await this.looping;
  }

  async beforeApplicationShutdown(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const impatience = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_WRITES_MS)));
    await Promise.race([Promise.all(this.running), impatience]);
    clearTimeout(timer);
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.dispatch();
      } catch (error) {
        this.logger.warn({ msg: 'tasks could not be taken: trying again', err: error });
      }
      await this.wake.within(POLL_MS);
    }
  }

  private async dispatch(): Promise<void> {
    const free = this.config.maxRuns - this.held.count;
    if (free <= 0) return;
    const claimedAt = this.clock.monotonicMs();
    for (const claim of await this.turns.take(free, this.config.maxRuns, this.worker)) {
      const hold = this.held.take(claim, claimedAt);
      const done = this.runner.run(hold).finally(() => {
        this.held.drop(hold);
        this.running.delete(done);
        this.wake.now();
      });
      this.running.add(done);
    }
  }
}
