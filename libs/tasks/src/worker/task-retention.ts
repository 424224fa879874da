import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock, Upkeep } from '@app/common';
import { AppConfig } from '@app/config';
import { type Partition, type PartitionedTable, Partitions } from '@app/database';
import { OldTasksRepository } from '../store/old-tasks.repository.js';

const EVENTS: PartitionedTable = {
  table: 'task_events',
  every: 'day',
  ahead: 3,
  ids: 'task',
  defaultBy: 'task_id',
};
const KEEP_EVERY_MS = 60 * 60_000;
const DAY_MS = 86_400_000;
const AT_ONCE = 500;

/**
 * Ends the keeping of tasks. Their events, which are most of what they are, go by the day of the task's birth and
 * by dropping a table; their rows one by one before, as one index over all of them holds each workspace to one
 * running task. A day stays while a task of it has not ended, or not long ago.
 */
@Injectable()
export class TaskRetention implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(TaskRetention.name);
  private readonly upkeep = new Upkeep(this.logger, 'the upkeep of tasks');

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly partitions: Partitions,
    private readonly tasks: OldTasksRepository,
  ) {}

  async onModuleInit(): Promise<void> {
    // Nothing waits for it to succeed: without a day of its own an event falls into the default partition.
    await this.upkeep.do(() => this.makeAhead());
    this.upkeep.every(KEEP_EVERY_MS, () => this.keep());
  }

  async onModuleDestroy(): Promise<void> {
    await this.upkeep.stop();
  }

  async dropOld(): Promise<void> {
    const limit = new Date(this.clock.now().getTime() - this.config.taskEventsRetentionDays * DAY_MS);
    let bornSince = '';
    for (const day of await this.partitions.before(limit, EVENTS)) {
      const born: [string, string] = [bornSince, day.bound];
      while ((await this.tasks.remove(born, limit, AT_ONCE)) === AT_ONCE);
      if (!(await this.tasks.areAnyLeft(born))) await this.drop(day);
      bornSince = day.bound;
    }
  }

  private async drop(day: Partition): Promise<void> {
    await this.partitions.drop(day);
    this.logger.log({ msg: 'an old day of tasks dropped', partition: day.name });
  }

  private async makeAhead(): Promise<void> {
    await this.partitions.makeAhead(EVENTS, this.clock.now());
  }

  private async keep(): Promise<void> {
    await this.makeAhead();
    await this.dropOld();
  }
}
