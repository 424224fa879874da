import pg from 'pg';
import { DataSource } from 'typeorm';
import { v7 } from 'uuid';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/test-database.js';
import { migrate } from '../migrate.js';
import { MIGRATIONS } from './index.js';

describe('the ledger that becomes one of months', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeEach(async () => {
    database = await createTestDatabase();
    client = new pg.Client(database.url);
    await client.connect();
  });
  afterEach(async () => {
    await client.end();
    await database.drop();
  });

  const rows = async (sql: string, values: unknown[] = []) => (await client.query(sql, values)).rows;

  /** Back to before the ledger had months. */
  async function goBack(): Promise<void> {
    const source = new DataSource({ type: 'postgres', url: database.url, migrations: MIGRATIONS });
    await source.initialize();
    try {
      const applied = async () => (await rows('SELECT name FROM migrations')).map(({ name }) => name);
      while ((await applied()).some((name) => name.startsWith('usage-'))) await source.undoLastMigration();
    } finally {
      await source.destroy();
    }
  }

  async function fill(): Promise<void> {
    const ids = ['2026-01-05', '2026-02-05'].map((day) => v7({ msecs: Date.parse(day) }).replaceAll('-', ''));
    for (const id of [...ids, v7().replaceAll('-', '')]) {
      await rows(
        `INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, cost_kind,
                           ended_at, outcome)
         VALUES ($1, 'p', 'k', 'task', 'm', 1, 'i', 'o', now(), 'billed', now(), 'succeeded')`,
        [`run_${id}`],
      );
      await rows(`INSERT INTO run_usage VALUES ($1, 'm', 1, 2, 3, 4, 5, 6, 7, 'v')`, [`run_${id}`]);
      await rows(
        `INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy)
         VALUES ($1, 'p', 'k', 'pro', 'd', 'm', '{}')`,
        [`task_${id}`],
      );
      await rows(`INSERT INTO task_events VALUES ($1, 1, 'queued', now(), '{}')`, [`task_${id}`]);
    }
  }
  const everything = async () => ({
    runs: await rows('SELECT * FROM runs ORDER BY id'),
    usage: await rows('SELECT * FROM run_usage ORDER BY run_id'),
    events: await rows('SELECT * FROM task_events ORDER BY task_id'),
  });

  it('keeps every row, forth and back, with columns that came in between', async () => {
    await goBack();
    await fill();
    await rows(`ALTER TABLE runs ADD COLUMN added_since text NOT NULL DEFAULT 'x' CHECK (added_since <> '')`);
    const before = await everything();
    expect(before).toMatchObject({ runs: { length: 3 }, usage: { length: 3 }, events: { length: 3 } });

    await migrate(database.url);

    expect(await everything()).toEqual(before);
    await fill();
    expect(await rows('SELECT added_since FROM runs')).toHaveLength(6);
    expect(await rows('SELECT DISTINCT tableoid::regclass::text AS name FROM runs')).toEqual([
      { name: 'runs_first' },
    ]);
    await expect(rows("UPDATE runs SET added_since = ''")).rejects.toThrow('check constraint');
    await expect(rows('INSERT INTO runs SELECT * FROM runs')).rejects.toThrow('duplicate key');
    expect(await rows('SELECT 1 FROM usage_pending')).toHaveLength(6);

    const after = await everything();
    await goBack();

    expect(await everything()).toEqual(after);
    await expect(
      rows("INSERT INTO run_usage VALUES ('run_no', 'm', 1, 2, 3, 4, 5, 6, 7, 'v')"),
    ).rejects.toThrow('foreign key');
    expect(await rows("SELECT 1 FROM pg_class WHERE relname LIKE 'usage_%' AND relkind = 'r'")).toEqual([]);
  });

  it('begins with the month after the newest run, be its clock ahead', async () => {
    await goBack();
    const ahead = new Date(performance.timeOrigin + 100 * 86_400_000);
    await rows(
      `INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, cost_kind)
       VALUES ($1, 'p', 'k', 'task', 'm', 1, 'i', 'o', now(), 'billed')`,
      [`run_${v7({ msecs: ahead.getTime() }).replaceAll('-', '')}`],
    );
    await migrate(database.url);
    expect(await rows('SELECT tableoid::regclass::text AS name FROM runs')).toEqual([{ name: 'runs_first' }]);
  });
});
