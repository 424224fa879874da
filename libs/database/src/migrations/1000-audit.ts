import type { MigrationInterface, QueryRunner } from 'typeorm';

/** One chain of events per project. The head says where a chain must end, so that a cut-off tail shows. */
export class Audit1000 implements MigrationInterface {
  readonly name = 'audit-0000000001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_heads (
        project text PRIMARY KEY,
        seq bigint NOT NULL,
        mac bytea NOT NULL
      ) WITH (fillfactor = 50)`);
    await runner.query(`
      CREATE TABLE audit_events (
        project text NOT NULL,
        seq bigint NOT NULL,
        at timestamptz NOT NULL,
        type text NOT NULL,
        actor jsonb NOT NULL,
        target jsonb NOT NULL,
        outcome text NOT NULL,
        diff jsonb,
        request_id text,
        prev bytea NOT NULL,
        mac bytea NOT NULL,
        mac_key_id text NOT NULL,
        PRIMARY KEY (project, seq)
      )`);
    await runner.query(`
      CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_events is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await runner.query(`
      CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()`);
    await runner.query('ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_events, audit_heads');
    await runner.query('DROP FUNCTION refuse_audit_change');
  }
}
