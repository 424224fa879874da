import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Projects, keys, their secrets, and the counter that numbers every change of them. */
export class Identity2000 implements MigrationInterface {
  readonly name = 'identity-0000000002000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(PROJECTS);
    await queryRunner.query(API_KEYS);
    await queryRunner.query(API_KEY_SECRETS);
    await queryRunner.query(AUTH_REVISION);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE auth_revision, api_key_secrets, api_keys, projects');
  }
}

const PROJECTS = `
  CREATE TABLE projects (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    created_at timestamptz NOT NULL DEFAULT now()
  )`;

const API_KEYS = `
  CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects (id),
    name text NOT NULL,
    tier text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('inference', 'admin')),
    agents text[] NOT NULL,
    skills text[] NOT NULL,
    models text[],
    requests_per_minute integer CHECK (requests_per_minute > 0),
    status text NOT NULL CHECK (status IN ('active', 'revoked')),
    epoch integer NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 0,
    expires_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
  );
  CREATE INDEX api_keys_by_project ON api_keys (project_id, id);
  CREATE INDEX api_keys_by_revision ON api_keys (revision)`;

// One current secret per key; the one before it keeps working until its not_after.
const API_KEY_SECRETS = `
  CREATE TABLE api_key_secrets (
    kid text PRIMARY KEY,
    key_id text COLLATE "C" NOT NULL REFERENCES api_keys (id),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    last4 text NOT NULL,
    not_after timestamptz,
    created_at timestamptz NOT NULL
  );
  CREATE INDEX api_key_secrets_by_key ON api_key_secrets (key_id);
  CREATE UNIQUE INDEX api_key_secrets_current ON api_key_secrets (key_id) WHERE not_after IS NULL`;

const AUTH_REVISION = `
  CREATE TABLE auth_revision (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    revision bigint NOT NULL DEFAULT 0
  );
  INSERT INTO auth_revision DEFAULT VALUES`;
