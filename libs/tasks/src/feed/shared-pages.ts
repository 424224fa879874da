import type { EventPage, TaskEventsRepository } from '../store/task-events.repository.js';

type Look = Promise<EventPage | undefined>;

/** One query for all readers of a task that stand at the same event and look at the same time. */
export class SharedPages {
  private readonly running = new Map<string, Map<number, Look>>();

  constructor(
    private readonly events: TaskEventsRepository,
    private readonly size: number,
  ) {}

  after(taskId: string, seq: number): Look {
    const looks = this.running.get(taskId) ?? new Map<number, Look>();
    this.running.set(taskId, looks);
    const shared = looks.get(seq);
    if (shared) return shared;
    const look = this.events.page(taskId, seq, this.size).finally(() => {
      if (looks.get(seq) === look) looks.delete(seq);
      if (looks.size === 0 && this.running.get(taskId) === looks) this.running.delete(taskId);
    });
    looks.set(seq, look);
    return look;
  }

  /** What is being read may not hold the news that just came: nobody new may share it. */
  forget(taskId: string): void {
    this.running.delete(taskId);
  }
}
