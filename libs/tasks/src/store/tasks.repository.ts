import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { Task, TaskInput, TaskStatus } from '../task.js';

const COLUMNS = `id, project, key_id, tier, status, description, model, workspace, metadata, effective_policy,
  request_id, created_at, started_at, finished_at, attempt, cancel_requested_at, run_id, result, error, usage,
  cost_nano, timing, denials`;

type NewTask = Pick<
  Task,
  | 'id'
  | 'project'
  | 'key_id'
  | 'tier'
  | 'description'
  | 'model'
  | 'workspace'
  | 'metadata'
  | 'effective_policy'
  | 'request_id'
>;

/**
 * What callers make and see of tasks. A task of another project is not there; a `project` of undefined
 * means all projects.
 */
@Injectable()
export class TasksRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  /** With its first event: it waits, and at which place. */
  async insert(task: NewTask, input: TaskInput): Promise<void> {
    await this.manager.query(
      `INSERT INTO tasks (id, project, key_id, tier, description, model, workspace, metadata, effective_policy,
                          request_id, last_seq)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)`,
      [
        task.id,
        task.project,
        task.key_id,
        task.tier,
        task.description,
        task.model,
        task.workspace,
        task.metadata,
        task.effective_policy,
        task.request_id,
      ],
    );
    await this.manager.query('INSERT INTO task_inputs (task_id, input) VALUES ($1, $2)', [
      task.id,
      JSON.stringify(input),
    ]);
    await this.manager.query(
      `INSERT INTO task_events (task_id, seq, type, at, data)
       SELECT $1, 1, 'queued', clock_timestamp(), jsonb_build_object('position', count(*))
         FROM tasks WHERE key_id = $2 AND status = 'queued'`,
      [task.id, task.key_id],
    );
  }

  async find(id: string, project: string | undefined): Promise<Task | undefined> {
    const [task] = await this.manager.query<Task[]>(
      `SELECT ${COLUMNS} FROM tasks WHERE id = $1 AND ($2::text IS NULL OR project = $2)`,
      [id, project ?? null],
    );
    return task;
  }

  /** Newest first: ids carry their time of birth. */
  page(
    project: string | undefined,
    status: TaskStatus | undefined,
    before: string | undefined,
    size: number,
  ) {
    return this.manager.query<Task[]>(
      `SELECT ${COLUMNS} FROM tasks
        WHERE ($1::text IS NULL OR project = $1) AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR id < $3)
        ORDER BY id DESC LIMIT $4`,
      [project ?? null, status ?? null, before ?? null, size],
    );
  }

  /** 1 = the next of its key, for each of these that waits. Keys take turns, so others' tasks do not count. */
  async positions(ids: string[]): Promise<Map<string, number>> {
    const rows = await this.manager.query<{ id: string; position: number }[]>(
      `SELECT t.id, (SELECT count(*)::int FROM tasks q
                      WHERE q.key_id = t.key_id AND q.status = 'queued' AND q.id <= t.id) AS position
         FROM tasks t WHERE t.id = ANY($1) AND t.status = 'queued'`,
      [ids],
    );
    return new Map(rows.map(({ id, position }) => [id, position]));
  }

  /** Marks a task that has not ended as to be cancelled; undefined when there is none. */
  async requestCancel(
    id: string,
    project: string,
  ): Promise<{ status: 'queued' | 'running'; attempt: number } | undefined> {
    const [task] = await this.manager.query<{ status: 'queued' | 'running'; attempt: number }[]>(
      `WITH marked AS (
         UPDATE tasks SET cancel_requested_at = coalesce(cancel_requested_at, now())
          WHERE id = $1 AND project = $2 AND status IN ('queued', 'running') RETURNING status, attempt)
       SELECT status, attempt FROM marked`,
      [id, project],
    );
    return task;
  }

  /** What a key has waiting: tasks, and bytes of what is only for their runs. */
  async waitingOf(keyId: string): Promise<{ tasks: number; bytes: number }> {
    const [row] = await this.manager.query<{ tasks: number; bytes: number }[]>(
      `SELECT count(*)::int AS tasks, coalesce(sum(octet_length(input)), 0)::float8 AS bytes
         FROM tasks JOIN task_inputs ON task_id = id WHERE key_id = $1 AND status = 'queued'`,
      [keyId],
    );
    return row!;
  }

  async queuedOf(keyId: string): Promise<{ id: string; attempt: number }[]> {
    return this.manager.query(`SELECT id, attempt FROM tasks WHERE key_id = $1 AND status = 'queued'`, [
      keyId,
    ]);
  }
}
