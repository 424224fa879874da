import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Agentic tasks, what only their run needs, and what happened in them. */
export class Tasks5000 implements MigrationInterface {
  readonly name = 'tasks-0000000005000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TASKS);
    await queryRunner.query(TASK_INPUTS);
    await queryRunner.query(TASK_EVENTS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE task_events, task_inputs, tasks');
  }
}

// `attempt` is the fencing token: a run writes only under the number that it was started with. `started_at` is
// when the CLI was seen to work: from then on a task is never started again.
const TASKS = `
  CREATE TABLE tasks (
    id text COLLATE "C" PRIMARY KEY,
    project text NOT NULL,
    key_id text NOT NULL,
    tier text NOT NULL,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN
      ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'budget_exceeded')),
    description text NOT NULL,
    model text NOT NULL,
    workspace text,
    metadata jsonb,
    effective_policy jsonb NOT NULL,
    request_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    worker text,
    lease_until timestamptz,
    cancel_requested_at timestamptz,
    run_id text,
    last_seq integer NOT NULL DEFAULT 0,
    result jsonb,
    error jsonb,
    usage jsonb,
    cost_nano bigint,
    timing jsonb,
    denials jsonb NOT NULL DEFAULT '[]',
    CHECK ((finished_at IS NULL) = (status IN ('queued', 'running'))),
    CHECK ((status = 'running') = (worker IS NOT NULL)),
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK (status <> 'queued' OR started_at IS NULL)
  );
  CREATE INDEX tasks_by_project ON tasks (project, id);
  CREATE INDEX tasks_queued ON tasks (key_id, id) WHERE status = 'queued';
  CREATE INDEX tasks_by_lease ON tasks (lease_until) WHERE status = 'running';
  CREATE UNIQUE INDEX tasks_in_workspace ON tasks (project, workspace) WHERE status = 'running'`;

// Text where a caller's words stand: jsonb would keep neither the order nor the spelling of what was sent.
const TASK_INPUTS = `
  CREATE TABLE task_inputs (
    task_id text COLLATE "C" PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    input text NOT NULL
  )`;

const TASK_EVENTS = `
  CREATE TABLE task_events (
    task_id text COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    seq integer NOT NULL CHECK (seq > 0),
    type text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (task_id, seq)
  )`;
