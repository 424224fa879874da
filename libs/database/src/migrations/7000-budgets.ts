import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ADMIT_RUN as ADMIT_RUN_BEFORE } from './3000-ledger.js';
import { ADMIT_RUN, CHECK_ALLOWANCE } from './7000/admit-run.js';
import { END_RUN, EXTEND_RUN } from './7000/hold-functions.js';
import { BUDGET_REFUSAL, BUDGET_WINDOW_AT, OPEN_BUDGET_WINDOW, TAKE_RATE } from './7000/window-functions.js';

/** Budgets with their windows, grants and alerts; the holds of runs on them; rates. */
export class Budgets7000 implements MigrationInterface {
  readonly name = 'budgets-0000000007000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const tables = [BUDGETS, BUDGET_WINDOWS, BUDGET_GRANTS, BUDGET_ALERTS, RATE_BUCKETS, HOLDS];
    await queryRunner.query('DROP FUNCTION admit_run');
    for (const sql of [...tables, ...FUNCTIONS]) await queryRunner.query(sql);
  }

  /** The functions of the schema before cannot admit a run with a hold: there must be none. */
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'DROP FUNCTION admit_run, check_allowance, extend_run, end_run, take_rate, open_budget_window, budget_refusal, budget_window_at',
    );
    await queryRunner.query(
      `ALTER TABLE runs ${HOLD_COLUMNS.map((name) => `DROP COLUMN ${name}`).join(', ')}`,
    );
    await queryRunner.query('DROP TABLE rate_buckets, budget_alerts, budget_grants, budget_windows, budgets');
    await queryRunner.query('DROP FUNCTION refuse_grant_change');
    await queryRunner.query(ADMIT_RUN_BEFORE);
  }
}

const FUNCTIONS = [
  BUDGET_WINDOW_AT,
  BUDGET_REFUSAL,
  OPEN_BUDGET_WINDOW,
  TAKE_RATE,
  ADMIT_RUN,
  CHECK_ALLOWANCE,
  EXTEND_RUN,
  END_RUN,
];

// `limit_n` is nano-dollars, tokens or runs. One that was removed stays for the windows that it has.
const BUDGETS = `
  CREATE TABLE budgets (
    id text COLLATE "C" PRIMARY KEY,
    project text NOT NULL REFERENCES projects (id),
    key_id text COLLATE "C" REFERENCES api_keys (id),
    unit text NOT NULL CHECK (unit IN ('usd', 'tokens', 'requests')),
    limit_n bigint NOT NULL CHECK (limit_n >= 0),
    period text NOT NULL CHECK (period IN ('day', 'week', 'month', 'total')),
    time_zone text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
  );
  CREATE UNIQUE INDEX budgets_in_force ON budgets (project, coalesce(key_id, ''), unit, period)
    WHERE removed_at IS NULL`;

// Made on demand: nothing has to run at midnight. The limit that holds is in the schema.
const BUDGET_WINDOWS = `
  CREATE TABLE budget_windows (
    budget_id text COLLATE "C" NOT NULL REFERENCES budgets (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    limit_n bigint NOT NULL,
    granted_n bigint NOT NULL DEFAULT 0 CHECK (granted_n >= 0),
    held_n bigint NOT NULL DEFAULT 0,
    settled_n bigint NOT NULL DEFAULT 0,
    overrun_n bigint NOT NULL DEFAULT 0 CHECK (overrun_n >= 0),
    PRIMARY KEY (budget_id, starts_at),
    CHECK (held_n >= 0 AND settled_n >= 0 AND held_n + settled_n <= limit_n + granted_n)
  ) WITH (fillfactor = 50)`;

const BUDGET_GRANTS = `
  CREATE TABLE budget_grants (
    id text COLLATE "C" PRIMARY KEY,
    budget_id text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    amount_n bigint NOT NULL CHECK (amount_n > 0),
    reason text,
    granted_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (budget_id, starts_at) REFERENCES budget_windows
  );
  CREATE FUNCTION refuse_grant_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'budget_grants is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
  END $$;
  CREATE TRIGGER budget_grants_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON budget_grants
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_grant_change()`;

const BUDGET_ALERTS = `
  CREATE TABLE budget_alerts (
    budget_id text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    pct smallint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (budget_id, starts_at, pct),
    FOREIGN KEY (budget_id, starts_at) REFERENCES budget_windows
  )`;

// After a crash of Postgres every bucket is full: right for a rate, and the reason why no money is in here.
const RATE_BUCKETS = `
  CREATE UNLOGGED TABLE rate_buckets (
    key_id text COLLATE "C" PRIMARY KEY,
    full_at timestamptz NOT NULL
  ) WITH (fillfactor = 50)`;

const HOLD_COLUMNS = [
  'budget_ids',
  'window_starts',
  'held_nano',
  'held_tokens',
  'observed_nano',
  'observed_tokens',
  'authorised_calls',
  'settled_nano',
  'settled_tokens',
];

// A run's hold on its budgets, in windows that are fixed when it starts: a month that ends under way moves nothing.
// `held` = what was observed, and what is reserved for the calls under way. `settled` = what counted in the end,
// a call that told nothing at what was reserved for it; null = nobody knows.
const HOLDS = `
  ALTER TABLE runs
    ADD COLUMN budget_ids text[] NOT NULL DEFAULT '{}',
    ADD COLUMN window_starts timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN held_nano bigint NOT NULL DEFAULT 0 CHECK (held_nano >= 0),
    ADD COLUMN held_tokens bigint NOT NULL DEFAULT 0 CHECK (held_tokens >= 0),
    ADD COLUMN observed_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN observed_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN authorised_calls integer NOT NULL DEFAULT 0,
    ADD COLUMN settled_nano bigint,
    ADD COLUMN settled_tokens bigint`;
