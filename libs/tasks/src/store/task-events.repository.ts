import { Injectable } from '@nestjs/common';
import { Notifications, Transactions } from '@app/database';
import type { NewTaskEvent, TaskEvent } from '../task-event.js';
import type { Claim, TaskDenial, TaskStatus } from '../task.js';

/** Its payload is the task's id: the table has a new event. */
export const EVENTS_CHANNEL = 'task_events';

export interface EventPage {
  status: TaskStatus;
  events: TaskEvent[];
}

/**
 * The one log of what happened in tasks. A task's row is locked while events are added to it, so their numbers
 * have no gap and become visible in order.
 */
@Injectable()
export class TaskEventsRepository {
  constructor(
    private readonly transactions: Transactions,
    private readonly notifications: Notifications,
  ) {}

  /**
   * Adds events after the one numbered `after`, which only its holder knows: what was committed without our
   * hearing of it is `there` when it is tried again. `lost`: the task is in other hands, and nothing was written.
   */
  async append(
    { id, attempt }: Claim,
    after: number,
    events: NewTaskEvent[],
    denials: TaskDenial[] = [],
  ): Promise<'added' | 'there' | 'lost'> {
    const rows = await this.transactions.manager.query<unknown[]>(
      `WITH bumped AS (
         UPDATE tasks SET last_seq = last_seq + $3,
                denials = CASE WHEN jsonb_array_length(denials) < 100 THEN denials || $4::jsonb ELSE denials END
          WHERE id = $1 AND attempt = $2 AND status = 'running' AND last_seq = $6 RETURNING last_seq - $3 AS before),
       added AS (
         INSERT INTO task_events (task_id, seq, type, at, data)
         SELECT $1, before + place, event ->> 'type', clock_timestamp(), event -> 'data'
           FROM bumped, jsonb_array_elements($5::jsonb) WITH ORDINALITY AS e(event, place) RETURNING seq)
       SELECT seq FROM added`,
      [id, attempt, events.length, JSON.stringify(denials), JSON.stringify(events), after],
    );
    if (rows.length === 0) return this.isThere(id, attempt, after + events.length);
    await this.notifications.notify(EVENTS_CHANNEL, id);
    return 'added';
  }

  private async isThere(id: string, attempt: number, seq: number): Promise<'there' | 'lost'> {
    const rows = await this.transactions.manager.query<unknown[]>(
      `SELECT 1 FROM tasks WHERE id = $1 AND attempt = $2 AND status = 'running' AND last_seq = $3`,
      [id, attempt, seq],
    );
    return rows.length > 0 ? 'there' : 'lost';
  }

  /** For whoever holds the row's lock and has raised `last_seq` to `seq`. */
  async add(taskId: string, seq: number, { type, data }: NewTaskEvent): Promise<void> {
    await this.transactions.manager.query(
      'INSERT INTO task_events (task_id, seq, type, at, data) VALUES ($1, $2, $3, clock_timestamp(), $4)',
      [taskId, seq, type, data],
    );
    await this.notifications.notify(EVENTS_CHANNEL, taskId);
  }

  /** The events after `after` and the task's status, both of one moment; undefined for no such task. */
  async page(taskId: string, after: number, size: number): Promise<EventPage | undefined> {
    const rows = await this.transactions.manager.query<({ status: TaskStatus } & TaskEvent)[]>(
      `SELECT t.status, e.seq, e.type, e.at, e.data FROM tasks t
         LEFT JOIN LATERAL (SELECT * FROM task_events WHERE task_id = t.id AND seq > $2 ORDER BY seq LIMIT $3) e
           ON true
        WHERE t.id = $1 ORDER BY e.seq`,
      [taskId, after, size],
    );
    const [first] = rows;
    if (!first) return undefined;
    const events = rows.filter(({ seq }) => seq !== null).map(({ status: _, ...event }) => event);
    return { status: first.status, events };
  }

  /** All but what was thought and said, in order. */
  async log(taskId: string, after: number, size: number): Promise<TaskEvent[]> {
    return this.transactions.manager.query(
      `SELECT seq, type, at, data FROM task_events
        WHERE task_id = $1 AND seq > $2 AND type NOT IN ('token', 'thinking') ORDER BY seq LIMIT $3`,
      [taskId, after, size],
    );
  }
}
