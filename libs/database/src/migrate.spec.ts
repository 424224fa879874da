import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { migrate, migrationStatus } from './migrate.js';

describe('migrate', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
    await run('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });
  afterEach(() => database.drop());

  async function run(sql: string) {
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }

  it('applies each migration once when two processes race', async () => {
    const names = (await migrationStatus(database.url)).map(({ name }) => name);

    const [first, second] = await Promise.all([migrate(database.url), migrate(database.url)]);

    expect([first.length, second.length].sort()).toEqual([0, names.length].sort());
    expect([...first, ...second]).toEqual(names);
  });

  it('tells which migrations the database has, and since when', async () => {
    const before = await migrationStatus(database.url);
    await migrate(database.url);
    const after = await migrationStatus(database.url);

    expect(before.length).toBeGreaterThan(0);
    expect(before.every(({ appliedAt }) => appliedAt === null)).toBe(true);
    expect(after.every(({ appliedAt }) => appliedAt instanceof Date)).toBe(true);
  });
});
