import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tiers that an operator edits or adds, and projects that can be stopped. */
export class Tiers9000 implements MigrationInterface {
  readonly name = 'tiers-0000000009000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TIERS);
    await queryRunner.query('ALTER TABLE projects ADD disabled_at timestamptz');
    await queryRunner.query('CREATE INDEX api_keys_by_tier ON api_keys (tier, id)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX api_keys_by_tier');
    await queryRunner.query('ALTER TABLE projects DROP disabled_at');
    await queryRunner.query('DROP TABLE tiers');
  }
}

// Rows are only added; the highest version of a name is in force. Entitlements of null: of a default tier, as the
// service ships it; of any other, there is none any more.
const TIERS = `
  CREATE TABLE tiers (
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    version integer NOT NULL CHECK (version > 0),
    entitlements jsonb,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (name, version)
  )`;
