import type { MigrationInterface, QueryRunner } from 'typeorm';
import { partitionedById, wholeAgain } from './9500/by-id.js';
import { USAGE_PENDING, USAGE_ROLLUPS } from './9500/rollups.js';

/**
 * The ledger by months and the events of tasks by days, so that what is old goes by dropping a table; and what the
 * ledger adds up to. Rows that are there become the first partition as they lie: only their keys are built again.
 */
export class Usage9500 implements MigrationInterface {
  readonly name = 'usage-0000000009500';

  async up(runner: QueryRunner): Promise<void> {
    for (const sql of [REFERENCES_GONE, RUNS, RUN_USAGE, TASK_EVENTS, USAGE_ROLLUPS, USAGE_PENDING]) {
      await runner.query(sql);
    }
  }

  /** Events and usage of what is no longer there would be refused by the references. */
  async down(runner: QueryRunner): Promise<void> {
    for (const sql of [USAGE_GONE, RUNS_WHOLE, RUN_USAGE_WHOLE, TASK_EVENTS_WHOLE]) await runner.query(sql);
  }
}

// A reference would have to be checked row by row when a month is dropped, and by its cascade delete row by row.
// Usage is only written with its run, events only with their task's row locked.
const REFERENCES_GONE = `
  ALTER TABLE run_usage DROP CONSTRAINT run_usage_run_id_fkey;
  ALTER TABLE task_events DROP CONSTRAINT task_events_task_id_fkey`;

const RUN_INDEXES = `
  CREATE INDEX runs_open_by_key ON runs (key_id) WHERE outcome IS NULL;
  CREATE INDEX runs_open_by_lease ON runs (lease_until) WHERE outcome IS NULL`;

const RUNS = `
  DROP INDEX runs_open_by_key, runs_open_by_lease, runs_by_project;
  ALTER TABLE runs ALTER COLUMN id TYPE text COLLATE "C";
  ${partitionedById({ table: 'runs', column: 'id', prefix: 'run', key: 'id', every: 'month' })};
  ${RUN_INDEXES};
  CREATE INDEX runs_by_time ON runs (started_at, id);
  CREATE INDEX runs_by_project ON runs (project, started_at, id)`;

const RUN_USAGE = `
  ALTER TABLE run_usage ALTER COLUMN run_id TYPE text COLLATE "C";
  ${partitionedById({ table: 'run_usage', column: 'run_id', prefix: 'run', key: 'run_id, model', every: 'month' })}`;

const TASK_EVENTS = partitionedById({
  table: 'task_events',
  column: 'task_id',
  prefix: 'task',
  key: 'task_id, seq',
  every: 'day',
});

const USAGE_GONE = `
  DROP TRIGGER run_ended ON runs;
  DROP TRIGGER run_written ON runs;
  DROP FUNCTION note_run_end;
  DROP TABLE usage_pending, usage_rollups`;

const RUNS_WHOLE = `
  ${wholeAgain('runs', 'id')};
  ${RUN_INDEXES};
  CREATE INDEX runs_by_project ON runs (project, started_at)`;

const RUN_USAGE_WHOLE = `
  ${wholeAgain('run_usage', 'run_id, model')};
  DELETE FROM run_usage WHERE NOT EXISTS (SELECT FROM runs WHERE id = run_id);
  ALTER TABLE run_usage ADD FOREIGN KEY (run_id) REFERENCES runs (id)`;

const TASK_EVENTS_WHOLE = `
  ${wholeAgain('task_events', 'task_id, seq')};
  DELETE FROM task_events WHERE NOT EXISTS (SELECT FROM tasks WHERE id = task_id);
  ALTER TABLE task_events ADD FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE`;
