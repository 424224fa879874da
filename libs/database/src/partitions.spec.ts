import { v7 } from 'uuid';
import { Test, type TestingModule } from '@nestjs/testing';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { DatabaseModule } from './database.module.js';
import { type PartitionedTable, Partitions } from './partitions.js';
import { Transactions } from './transactions.js';

describe('partitions by time', () => {
  let database: TestDatabase;
  let here: TestingModule;
  const days: PartitionedTable = { table: 'daily', every: 'day', ahead: 2 };
  const months: PartitionedTable = { table: 'monthly', every: 'month', ahead: 1, guard: 'mark' };

  beforeEach(async () => {
    database = await createTestDatabase();
    here = await open();
    for (const { table } of [days, months]) {
      await sql(
        `CREATE TABLE ${table} (at timestamptz NOT NULL, id int DEFAULT 7, PRIMARY KEY (at)) PARTITION BY RANGE (at)`,
      );
    }
    await sql(`CREATE TABLE marks (name text);
      CREATE FUNCTION mark(t regclass) RETURNS void LANGUAGE sql AS $$ INSERT INTO marks VALUES (t::text) $$`);
  });
  afterEach(async () => {
    await here.close();
    await database.drop();
  });

  async function open(): Promise<TestingModule> {
    const imports = [DatabaseModule.forUrl(database.url)];
    return (await Test.createTestingModule({ imports }).compile()).init();
  }
  const sql = (text: string): Promise<any> => here.get(Transactions).manager.query(text);
  const partitions = () => here.get(Partitions);
  const names = async ({ table }: PartitionedTable) =>
    (await partitions().before(new Date('9999-01-01'), { ...days, table })).map(({ name }) => name);

  it('are there for now and for as long ahead as wanted, over the end of a year', async () => {
    await partitions().makeAhead(days, new Date('2026-12-30T23:59:59.999Z'));
    await partitions().makeAhead(months, new Date('2026-12-30T23:59:59.999Z'));

    expect(await names(days)).toEqual(['daily_20261230', 'daily_20261231', 'daily_20270101']);
    expect(await names(months)).toEqual(['monthly_202612', 'monthly_202701']);
    expect(await sql('SELECT name FROM marks')).toEqual([
      { name: 'monthly_202612' },
      { name: 'monthly_202701' },
    ]);
    await sql("INSERT INTO daily VALUES ('2026-12-30T00:00:00Z'), ('2027-01-01T23:59:59.999Z')");
    expect(await sql('SELECT id FROM daily_20270101')).toEqual([{ id: 7 }]);
    await expect(sql("INSERT INTO daily VALUES ('2027-01-02T00:00:00Z')")).rejects.toThrow('no partition');
  });

  it('have no gap after a time in which nobody made any', async () => {
    await partitions().makeAhead(days, new Date('2026-02-26T12:00:00Z'));
    await partitions().makeAhead(days, new Date('2026-03-02T12:00:00Z'));
    expect((await names(days)).map((name) => name.slice(-4))).toEqual([
      '0226',
      '0227',
      '0228',
      '0301',
      '0302',
      '0303',
      '0304',
    ]);
  });

  it('are made once by processes that start together, while others write', async () => {
    await partitions().makeAhead(days, new Date('2026-02-26T12:00:00Z'));
    const others = await Promise.all([open(), open(), open()]);
    await here.get(Transactions).run(async () => {
      await sql("INSERT INTO daily VALUES ('2026-02-26T12:00:00Z')");
      await Promise.all(
        others.map((other) => other.get(Partitions).makeAhead(days, new Date('2026-02-28T12:00:00Z'))),
      );
    });
    await Promise.all(others.map((other) => other.close()));
    expect(await names(days)).toHaveLength(5);
  });

  it('are found by ids that begin with their time', async () => {
    await sql('CREATE TABLE runs_t (id text COLLATE "C" PRIMARY KEY, n int) PARTITION BY RANGE (id)');
    const runs: PartitionedTable = { table: 'runs_t', every: 'month', ahead: 1, ids: 'run' };
    await partitions().makeAhead(runs, new Date('2026-12-30T00:00:00Z'));

    const idAt = (at: string) => `run_${v7({ msecs: Date.parse(at) }).replaceAll('-', '')}`;
    for (const at of ['2026-12-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00.000Z']) {
      await sql(`INSERT INTO runs_t VALUES ('${idAt(at)}')`);
    }
    expect(
      await sql('SELECT tableoid::regclass::text AS name, count(*)::int FROM runs_t GROUP BY 1 ORDER BY 1'),
    ).toEqual([
      { name: 'runs_t_202612', count: 2 },
      { name: 'runs_t_202701', count: 1 },
    ]);
    expect(await partitions().before(new Date('2027-01-31T23:59:59Z'), runs)).toEqual([
      {
        name: 'runs_t_202612',
        until: new Date('2027-01-01T00:00:00Z'),
        bound: `run_${Date.parse('2027-01-01').toString(16).padStart(12, '0')}`,
      },
    ]);
  });

  it('take in what came before they were there', async () => {
    const safe: PartitionedTable = { ...days, defaultBy: 'at' };
    await sql('CREATE TABLE daily_default PARTITION OF daily DEFAULT');
    await partitions().makeAhead(safe, new Date('2026-02-26T12:00:00Z'));
    await sql(
      "INSERT INTO daily VALUES ('2026-03-01T00:00:00Z'), ('2026-03-02T00:00:00Z'), ('2026-07-01T00:00:00Z')",
    );
    expect(await sql('SELECT count(*)::int FROM daily_default')).toEqual([{ count: 3 }]);

    await partitions().makeAhead(safe, new Date('2026-02-28T12:00:00Z'));

    expect(await sql('SELECT at FROM daily_20260301')).toEqual([{ at: new Date('2026-03-01T00:00:00Z') }]);
    expect(await sql('SELECT count(*)::int FROM daily_default')).toEqual([{ count: 1 }]);
    expect(await sql('SELECT count(*)::int FROM daily')).toEqual([{ count: 3 }]);
  });

  it('are dropped when all in them is old, and not while somebody reads them', async () => {
    await partitions().makeAhead(days, new Date('2026-02-26T12:00:00Z'));
    await sql("INSERT INTO daily VALUES ('2026-02-26T12:00:00Z'), ('2026-02-27T12:00:00Z')");
    const old = await partitions().before(new Date('2026-02-27T23:59:59Z'), days);
    expect(old.map(({ name }) => name)).toEqual(['daily_20260226']);

    const reader = await open();
    await reader.get(Transactions).run(async () => {
      await reader.get(Transactions).manager.query('SELECT * FROM daily');
      await expect(partitions().drop(old[0]!)).rejects.toThrow('lock timeout');
    });
    await reader.close();
    await partitions().drop(old[0]!);

    expect(await sql('SELECT at FROM daily')).toEqual([{ at: new Date('2026-02-27T12:00:00Z') }]);
  });
});
