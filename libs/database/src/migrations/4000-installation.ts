import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which secrets this database's rows were made with, as fingerprints. */
export class Installation4000 implements MigrationInterface {
  readonly name = 'installation-0000000004000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'CREATE TABLE secret_fingerprints (name text PRIMARY KEY, fingerprint text NOT NULL)',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE secret_fingerprints');
  }
}
