import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An event can be written together with the change that it tells of, in one statement. */
export class AuditAppend9700 implements MigrationInterface {
  readonly name = 'audit-append-0000000009700';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(APPEND_AUDIT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION append_audit');
  }
}

// Who made the link knew the end of the chain from before. If it has moved since, nothing of the statement that
// this is a part of has happened.
const APPEND_AUDIT = `
  CREATE FUNCTION append_audit(
    p_project text, p_seq bigint, p_mac bytea, p_at timestamptz, p_type text, p_actor jsonb, p_target jsonb,
    p_outcome text, p_diff jsonb, p_request_id text, p_prev bytea, p_mac_key_id text
  ) RETURNS boolean LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE audit_heads SET seq = p_seq, mac = p_mac, at = p_at
     WHERE project = p_project AND seq = p_seq - 1 AND mac = p_prev;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the chain does not end where this event begins' USING ERRCODE = 'AU001';
    END IF;
    INSERT INTO audit_events
        (project, seq, mac, at, type, actor, target, outcome, diff, request_id, prev, mac_key_id)
      VALUES (p_project, p_seq, p_mac, p_at, p_type, p_actor, p_target, p_outcome, p_diff, p_request_id,
              p_prev, p_mac_key_id);
    RETURN true;
  END $$`;
