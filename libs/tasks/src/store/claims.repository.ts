import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { Claim, FinalStatus, Task, TaskInput } from '../task.js';

/** How long a task stays with a worker that is not heard of. */
export const LEASE_SECONDS = 12;

/** Its payload is the id of a running task that somebody wants cancelled. */
export const CANCEL_CHANNEL = 'task_cancels';

/** What a task ends with. */
export interface TaskEnding {
  status: FinalStatus;
  result?: Task['result'];
  error?: Task['error'];
  usage?: Task['usage'];
  costNano?: bigint | null;
  timing?: Task['timing'];
}

export type EndedTask = Task & { last_seq: number };

/** A task whose worker was not heard of for the length of its lease. */
export type LostTask = Pick<Task, 'id' | 'attempt' | 'project' | 'key_id' | 'started_at' | 'run_id'>;

/** The columns of a task that a worker moves. Each write names the attempt that it is for, and does nothing else. */
@Injectable()
export class ClaimsRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  /** One dispatcher at a time, over all processes, until the transaction ends: only so are limits exact. */
  async lockDispatch(): Promise<void> {
    await this.manager.query(`SELECT pg_advisory_xact_lock(hashtextextended('claude-api dispatch', 0))`);
  }

  async anyQueued(): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>(`SELECT 1 FROM tasks WHERE status = 'queued' LIMIT 1`);
    return rows.length > 0;
  }

  /** `busy`: its workspace is in use. `gone`: it waits no longer. */
  async claim(id: string, worker: string): Promise<Claim | 'busy' | 'gone'> {
    const [claim] = await this.manager.query<Claim[]>(
      `WITH claimed AS (
         UPDATE tasks t SET status = 'running', attempt = attempt + 1, worker = $2,
                lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
          WHERE id = $1 AND status = 'queued' AND NOT EXISTS (
            SELECT 1 FROM tasks r WHERE r.project = t.project AND r.workspace = t.workspace AND r.status = 'running')
         RETURNING *)
       SELECT id, attempt, project, key_id, description, model, workspace, metadata, request_id, last_seq,
              greatest(0, round(extract(epoch FROM clock_timestamp() - created_at) * 1000))::int AS queue_ms
         FROM claimed`,
      [id, worker],
    );
    if (claim) return claim;
    const waiting = await this.manager.query<unknown[]>(
      `SELECT 1 FROM tasks WHERE id = $1 AND status = 'queued'`,
      [id],
    );
    return waiting.length > 0 ? 'busy' : 'gone';
  }

  async inputOf(id: string): Promise<TaskInput | undefined> {
    const [row] = await this.manager.query<{ input: string }[]>(
      'SELECT input FROM task_inputs WHERE task_id = $1',
      [id],
    );
    return row && (JSON.parse(row.input) as TaskInput);
  }

  /** Those that are still in these hands, and which of them somebody wants cancelled. */
  renew(claims: Pick<Claim, 'id' | 'attempt'>[]): Promise<{ id: string; cancelled: boolean }[]> {
    return this.manager.query(
      `WITH renewed AS (
         UPDATE tasks t SET lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
           FROM unnest($1::text[], $2::int[]) AS held(id, attempt)
          WHERE t.id = held.id AND t.attempt = held.attempt AND t.status = 'running'
         RETURNING t.id, t.cancel_requested_at)
       SELECT id, cancel_requested_at IS NOT NULL AS cancelled FROM renewed`,
      [claims.map(({ id }) => id), claims.map(({ attempt }) => attempt)],
    );
  }

  async setRun({ id, attempt }: Claim, runId: string): Promise<boolean> {
    return this.changed(
      `UPDATE tasks SET run_id = $3 WHERE id = $1 AND attempt = $2 AND status = 'running' RETURNING id`,
      [id, attempt, runId],
    );
  }

  async setStarted(
    { id, attempt }: Claim,
    model: string,
    policy: Task['effective_policy'],
  ): Promise<boolean> {
    return this.changed(
      `UPDATE tasks SET started_at = coalesce(started_at, now()), model = $3, effective_policy = $4
        WHERE id = $1 AND attempt = $2 AND status = 'running' RETURNING id`,
      [id, attempt, model, policy],
    );
  }

  /** Back into the queue, as if it had not been taken; never one that has started or is to be cancelled. */
  async putBack({ id, attempt }: Pick<Claim, 'id' | 'attempt'>): Promise<boolean> {
    return this.changed(
      `UPDATE tasks SET status = 'queued', worker = NULL, lease_until = NULL, run_id = NULL
        WHERE id = $1 AND attempt = $2 AND status = 'running' AND started_at IS NULL
          AND cancel_requested_at IS NULL RETURNING id`,
      [id, attempt],
    );
  }

  /** Undefined when there is none. Locked until the transaction ends; others pass it by. */
  async takeLost(): Promise<LostTask | undefined> {
    const [task] = await this.manager.query<LostTask[]>(
      `SELECT id, attempt, project, key_id, started_at, run_id FROM tasks
        WHERE status = 'running' AND lease_until < now() ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED`,
    );
    return task;
  }

  async isRunning(id: string, attempt: number): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>(
      `SELECT 1 FROM tasks WHERE id = $1 AND attempt = $2 AND status = 'running'`,
      [id, attempt],
    );
    return rows.length > 0;
  }

  /** One more event, to be numbered `last_seq`, for whoever holds the row's lock. */
  async raiseSeq(id: string): Promise<number> {
    const [row] = await this.manager.query<{ last_seq: number }[]>(
      `WITH raised AS (UPDATE tasks SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq)
       SELECT last_seq FROM raised`,
      [id],
    );
    return row!.last_seq;
  }

  /**
   * The one write that ends a task, from the state that it is expected in; undefined when it is in another or in
   * other hands. A cancel that was accepted before wins over whatever the run came to. Counts its last event.
   */
  async end(
    { id, attempt }: Pick<Claim, 'id' | 'attempt'>,
    from: 'queued' | 'running',
    { status, result, error, usage, costNano, timing }: TaskEnding,
  ): Promise<EndedTask | undefined> {
    const [task] = await this.manager.query<EndedTask[]>(
      `WITH ended AS (
         UPDATE tasks SET status = CASE WHEN cancel_requested_at IS NULL THEN $4 ELSE 'cancelled' END,
                error = CASE WHEN cancel_requested_at IS NULL THEN $5::jsonb END,
                result = $6, usage = $7, cost_nano = $8, timing = $9,
                finished_at = clock_timestamp(), worker = NULL, lease_until = NULL, last_seq = last_seq + 1
          WHERE id = $1 AND attempt = $2 AND status = $3 RETURNING *)
       SELECT * FROM ended`,
      [
        ...[id, attempt, from, status, error && JSON.stringify(error), result && JSON.stringify(result)],
        ...[usage, costNano, timing],
      ],
    );
    if (task) await this.manager.query('DELETE FROM task_inputs WHERE task_id = $1', [id]);
    return task;
  }

  private async changed(update: string, parameters: unknown[]): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>(
      `WITH changed AS (${update}) SELECT id FROM changed`,
      parameters,
    );
    return rows.length > 0;
  }
}
