import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs (each with exactly one terminal outcome), what they used per model, and idempotency keys. */
export class Ledger3000 implements MigrationInterface {
  readonly name = 'ledger-0000000003000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(RUNS);
    await queryRunner.query(RUN_USAGE);
    await queryRunner.query(ADMIT_RUN);
    await queryRunner.query(IDEMPOTENCY_KEYS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE idempotency_keys');
    await queryRunner.query('DROP FUNCTION admit_run');
    await queryRunner.query('DROP TABLE run_usage');
    await queryRunner.query('DROP TABLE runs');
  }
}

// A row with a live lease and no outcome is what holds a place of its key's concurrency: a crash frees it.
const RUNS = `
  CREATE TABLE runs (
    id text PRIMARY KEY,
    project text NOT NULL,
    key_id text NOT NULL,
    kind text NOT NULL,
    model text NOT NULL,
    request_id text,
    metadata jsonb,
    max_cost_nano bigint NOT NULL,
    instance text NOT NULL,
    owner text NOT NULL,
    lease_until timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'budget_exceeded')),
    error_code text,
    finish_reason text,
    cost_nano bigint,
    cost_kind text NOT NULL CHECK (cost_kind IN ('billed', 'notional')),
    cli_cost_nano bigint,
    overrun_nano bigint NOT NULL DEFAULT 0,
    timing jsonb,
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
  );
  CREATE INDEX runs_open_by_key ON runs (key_id) WHERE outcome IS NULL;
  CREATE INDEX runs_open_by_lease ON runs (lease_until) WHERE outcome IS NULL;
  CREATE INDEX runs_by_project ON runs (project, started_at)`;

const RUN_USAGE = `
  CREATE TABLE run_usage (
    run_id text NOT NULL REFERENCES runs (id),
    model text NOT NULL,
    calls integer NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_tokens bigint,
    cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint,
    cost_nano bigint,
    price_version text NOT NULL,
    PRIMARY KEY (run_id, model)
  )`;

// One round trip. The key's row is locked so that two admissions of one key count each other.
export const ADMIT_RUN = `
  CREATE FUNCTION admit_run(
    p_id text, p_project text, p_key_id text, p_epoch integer, p_concurrent_runs integer, p_kind text,
    p_model text, p_request_id text, p_metadata jsonb, p_max_cost_nano bigint, p_cost_kind text,
    p_instance text, p_owner text, p_lease interval
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    current_epoch integer;
  BEGIN
    SELECT epoch INTO current_epoch FROM api_keys
      WHERE id = p_key_id AND status = 'active' AND (expires_at IS NULL OR expires_at > now())
      FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'key_ended'; END IF;
    IF current_epoch <> p_epoch THEN RETURN 'key_changed'; END IF;
    IF (SELECT count(*) FROM runs WHERE key_id = p_key_id AND outcome IS NULL AND lease_until > now())
       >= p_concurrent_runs THEN RETURN 'concurrency'; END IF;
    INSERT INTO runs (id, project, key_id, kind, model, request_id, metadata, max_cost_nano, cost_kind,
                      instance, owner, lease_until)
      VALUES (p_id, p_project, p_key_id, p_kind, p_model, p_request_id, p_metadata, p_max_cost_nano,
              p_cost_kind, p_instance, p_owner, now() + p_lease);
    RETURN 'admitted';
  END $$`;

// The answer is text, not jsonb: jsonb cannot hold the \u0000 that a model may write.
const IDEMPOTENCY_KEYS = `
  CREATE TABLE idempotency_keys (
    project text NOT NULL,
    key text NOT NULL,
    ticket text NOT NULL,
    instance text NOT NULL,
    fingerprint text NOT NULL,
    answer text,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project, key)
  );
  CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at)`;
