import { DataSource } from 'typeorm';
import { ENDED, type LedgerProcess, startLedgerProcess } from '../../../../test/support/ledger-process.js';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/test-database.js';
import { newId } from '@app/common';
import { migrate } from '../migrate.js';
import { Budgets7000 } from './7000-budgets.js';
import { MIGRATIONS } from './index.js';

describe('the migration of budgets', () => {
  let database: TestDatabase;
  let source: DataSource;
  const { name } = new Budgets7000();

  beforeEach(async () => {
    database = await createTestDatabase();
    source = await new DataSource({
      ...{ type: 'postgres', url: database.url, installExtensions: false },
      ...{ migrations: MIGRATIONS, migrationsTableName: 'migrations' },
    }).initialize();
  });
  afterEach(async () => {
    await source.destroy();
    await database.drop();
  });

  /** It and every later one. Says which. */
  async function undo(): Promise<string[]> {
    const undone: string[] = [];
    while (undone.at(-1) !== name) {
      const [last] = await source.query('SELECT name FROM migrations ORDER BY timestamp DESC LIMIT 1');
      await source.undoLastMigration();
      undone.push(last.name);
    }
    return undone.toReversed();
  }

  /** Two runs that are over, one of them above its hold, and one under way, in budgets with grants and alerts. */
  async function fill(ledger: LedgerProcess): Promise<{ key: string; open: string }> {
    const key = await ledger.key();
    const budget = await ledger.budget({ project: 'p', keyId: key, limit: 3_000 });
    await ledger.budget({ project: 'p', unit: 'tokens', limit: 1_000, period: 'total' });
    const runs = [1, 2, 3].map(() => ledger.opening(key, { requestsPerMinute: 60 }));
    for (const run of runs) expect((await ledger.ledger.admit(run)).verdict).toBe('admitted');
    for (const { runId } of runs.slice(1)) {
      await ledger.end(runId, { ...ENDED, costNano: 1_200n, used: { nano: 1_200n, tokens: 12n } });
    }
    await ledger.rows(
      `INSERT INTO budget_grants (id, budget_id, starts_at, amount_n, granted_by)
       SELECT 'grant_1', budget_id, starts_at, 5, 'operator' FROM budget_windows WHERE budget_id = $1`,
      [budget],
    );
    expect(await ledger.rows('SELECT 1 FROM budget_alerts')).not.toEqual([]);
    return { key, open: runs[0]!.runId };
  }

  it('is undone and done again with rows in every table: the ledger stays, budgets begin anew', async () => {
    const ledger = await startLedgerProcess(database.url);
    try {
      const { key, open } = await fill(ledger);
      const old = newId('run');
      const runs = `SELECT id, outcome, cost_nano FROM runs WHERE id <> '${old}' ORDER BY id`;
      const before = await ledger.rows(runs);

      const undone = await undo();

      expect(await ledger.rows(runs)).toEqual(before);
      expect(await ledger.rows(`SELECT to_regclass('budgets') AS there`)).toEqual([{ there: null }]);
      // The schema before works as it did.
      const [said] = await ledger.rows(
        `SELECT admit_run($2, 'p', $1, 0, 9, 'task', 'm', NULL, NULL, 1, 'billed', 'i', 'o', '1 minute')`,
        [key, old],
      );
      expect(said).toEqual({ admit_run: 'admitted' });

      expect(await migrate(database.url)).toEqual(undone);

      expect(await ledger.rows(runs)).toEqual(before);
      // A run of the time before holds nothing, and ends all the same.
      for (const run of [open, old]) expect(await ledger.end(run, ENDED)).not.toBeNull();
      const budget = await ledger.budget({ project: 'p', keyId: key, limit: 1_500 });
      expect((await ledger.ledger.admit(ledger.opening(key))).verdict).toBe('admitted');
      expect(await ledger.ledger.admit(ledger.opening(key))).toMatchObject({ refusal: { budget } });
      expect(await ledger.window(budget)).toMatchObject({ held: 1_000, settled: 0 });
    } finally {
      await ledger.stop();
    }
  });
});
