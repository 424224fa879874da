import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The files that tasks left, by their paths; the contents lie in the blob folder. */
export class Artifacts6000 implements MigrationInterface {
  readonly name = 'artifacts-0000000006000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TASK_ARTIFACTS);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE task_artifacts');
  }
}

// Paths are compared byte by byte: a collation could take two names for one.
const TASK_ARTIFACTS = `
  CREATE TABLE task_artifacts (
    id text COLLATE "C" PRIMARY KEY,
    task_id text COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    path text COLLATE "C" NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    media_type text NOT NULL,
    blob text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (task_id, path)
  )`;
