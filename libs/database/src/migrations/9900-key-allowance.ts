import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Work that waits is accepted only of a key as it is, as a run is admitted. */
export class KeyAllowance9900 implements MigrationInterface {
  readonly name = 'key-allowance-0000000009900';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHECK_KEY_ALLOWANCE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION check_key_allowance');
  }
}

const CHECK_KEY_ALLOWANCE = `
  CREATE FUNCTION check_key_allowance(
    p_project text, p_key_id text, p_epoch integer, p_requests_per_minute integer
  ) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    current_epoch integer;
  BEGIN
    SELECT epoch INTO current_epoch FROM api_keys
      WHERE id = p_key_id AND status = 'active' AND (expires_at IS NULL OR expires_at > now());
    IF NOT FOUND THEN RETURN '{"verdict": "key_ended"}'; END IF;
    IF current_epoch <> p_epoch THEN RETURN '{"verdict": "key_changed"}'; END IF;
    RETURN check_allowance(p_project, p_key_id, p_requests_per_minute);
  END $$`;
