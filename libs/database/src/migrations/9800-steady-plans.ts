import type { MigrationInterface, QueryRunner } from 'typeorm';

const OF_A_RUN = ['admit_run', 'extend_run', 'end_run'];

/**
 * What is asked for each run finds its rows by their keys, so its plan is always the same one. Left alone,
 * Postgres plans anew each time, since a plan of one partition looks cheaper than one of any.
 */
export class SteadyPlans9800 implements MigrationInterface {
  readonly name = 'steady-plans-0000000009800';

  async up(runner: QueryRunner): Promise<void> {
    for (const name of OF_A_RUN) {
      await runner.query(`ALTER FUNCTION ${name} SET plan_cache_mode = force_generic_plan`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of OF_A_RUN) await runner.query(`ALTER FUNCTION ${name} RESET plan_cache_mode`);
  }
}
