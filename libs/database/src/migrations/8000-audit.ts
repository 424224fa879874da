import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit by months, so that old events go by dropping a table, and its signed checkpoints. The rows that
 * there are become the first partition as they lie: only its key is built again.
 */
export class Audit8000 implements MigrationInterface {
  readonly name = 'audit-0000000008000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(HEAD_TIMES);
    await runner.query(GUARD);
    await runner.query(PARTITIONED);
    await runner.query(FIRST_PARTITION);
    await runner.query(INDEXES);
    await runner.query(CHECKPOINTS);
    await runner.query(`SELECT guard_audit_table('audit_events'), guard_audit_table('audit_checkpoints')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_checkpoints');
    await runner.query('ALTER TABLE audit_heads DROP COLUMN at');
    await runner.query(WHOLE_AGAIN);
    await runner.query('DROP FUNCTION guard_audit_table');
  }
}

// The clocks of processes differ. The head's time keeps a chain's times in order, as partitions need it.
const HEAD_TIMES = `
  ALTER TABLE audit_heads ADD COLUMN at timestamptz NOT NULL DEFAULT 'epoch';
  UPDATE audit_heads SET at = newest.at
    FROM (SELECT project, max(at) AS at FROM audit_events GROUP BY project) newest
    WHERE newest.project = audit_heads.project`;

// A statement that names a partition fires the partition's own triggers and needs its own privileges only, so
// every partition is guarded by itself. An owner that is no superuser can then only add and read.
const GUARD = `
  CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
  END $$;
  CREATE FUNCTION guard_audit_table(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()', guarded);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', guarded);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM PUBLIC, %I', guarded, current_user);
  END $$`;

const PARTITIONED = `
  ALTER TABLE audit_events RENAME TO audit_events_first;
  ALTER TABLE audit_events_first DROP CONSTRAINT audit_events_pkey;
  DROP TRIGGER audit_events_append_only ON audit_events_first;
  CREATE TABLE audit_events (LIKE audit_events_first) PARTITION BY RANGE (at);
  ALTER TABLE audit_events ADD PRIMARY KEY (project, seq, at)`;

const FIRST_PARTITION = `
  DO $$
  DECLARE
    newest timestamptz := greatest(now(), (SELECT max(at) FROM audit_events_first));
  BEGIN
    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION audit_events_first FOR VALUES FROM (MINVALUE) TO (%L)',
                   (date_trunc('month', newest AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
    PERFORM guard_audit_table('audit_events_first');
  END $$`;

// Each filter of the query, newest first.
const INDEXES = `
  CREATE INDEX audit_events_by_time ON audit_events (at, project, seq);
  CREATE INDEX audit_events_by_project ON audit_events (project, at, seq);
  CREATE INDEX audit_events_by_type ON audit_events (type, at);
  CREATE INDEX audit_events_by_actor ON audit_events ((actor->>'id'), at);
  CREATE INDEX audit_events_by_target ON audit_events ((target->>'id'), at);
  CREATE INDEX audit_events_not_ok ON audit_events (outcome, at) WHERE outcome <> 'ok'`;

const CHECKPOINTS = `
  CREATE TABLE audit_checkpoints (
    project text NOT NULL,
    seq bigint NOT NULL,
    mac bytea NOT NULL,
    digest bytea NOT NULL,
    reason text NOT NULL CHECK (reason IN ('head', 'retention')),
    at timestamptz NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (project, seq, reason)
  )`;

const WHOLE_AGAIN = `
  ALTER TABLE audit_events RENAME TO audit_events_partitioned;
  CREATE TABLE audit_events (LIKE audit_events_partitioned);
  INSERT INTO audit_events SELECT * FROM audit_events_partitioned;
  DROP TABLE audit_events_partitioned;
  ALTER TABLE audit_events ADD PRIMARY KEY (project, seq);
  CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
  ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only`;
