import { Injectable, type OnModuleInit } from '@nestjs/common';
import { JobQueue, Notifications } from '@app/database';
import { Tiers } from '@app/permissions';
import type { Task } from '../task.js';

const QUEUE = 'tasks';
/** There is something in the queue. */
export const QUEUE_CHANNEL = 'task_queue';

/**
 * The line in which tasks wait. A ticket stands for a task, whose row is the truth; every call joins the
 * caller's transaction.
 */
@Injectable()
export class TaskQueue implements OnModuleInit {
  constructor(
    private readonly jobs: JobQueue,
    private readonly notifications: Notifications,
    private readonly tiers: Tiers,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.jobs.open(QUEUE);
  }

  async add({ id, key_id, tier }: Pick<Task, 'id' | 'key_id' | 'tier'>): Promise<void> {
    await this.jobs.add(QUEUE, { id: ticketOf(id), group: { id: key_id, tier } });
    await this.notifications.notify(QUEUE_CHANNEL, '');
  }

  /**
   * Ids of tasks whose turn it is, marked as out. `level`: only of keys that have fewer than so many out, and
   * never over what the key's tier allows.
   */
  async take(most: number, level: number): Promise<string[]> {
    const tiers = Object.fromEntries(
      this.tiers.list().map(({ name, concurrentRuns }) => [name, Math.min(level, concurrentRuns)]),
    );
    const tickets = await this.jobs.take(QUEUE, most, { default: 1, tiers });
    return tickets.map(taskOf);
  }

  /** Rounds up to the most that any tier allows: one by one at first, then in larger steps, as each costs a query. */
  get levels(): number[] {
    const most = Math.max(...this.tiers.list().map(({ concurrentRuns }) => concurrentRuns));
    const levels = [];
    for (let level = 1; level < most; level += Math.max(1, Math.floor(level / 8))) levels.push(level);
    return [...levels, most];
  }

  async putBack(id: string): Promise<void> {
    await this.jobs.putBack(QUEUE, ticketOf(id));
  }

  async remove(id: string): Promise<void> {
    await this.jobs.remove(QUEUE, ticketOf(id));
  }
}

/** A task's id is a prefix and the digits of a uuid: the ticket has the same one. */
function ticketOf(taskId: string): string {
  return taskId.slice('task_'.length).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const taskOf = (ticket: string) => `task_${ticket.replaceAll('-', '')}`;
