import { Test, type TestingModule } from '@nestjs/testing';
import { v7 } from 'uuid';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { DatabaseModule } from './database.module.js';
import { JobQueue } from './job-queue.js';
import { Transactions } from './transactions.js';

describe('the job queue', () => {
  const limits = { default: 1, tiers: { two: 2 } };
  let database: TestDatabase;
  let app: TestingModule;
  let queue: JobQueue;
  let transactions: Transactions;

  beforeEach(async () => {
    database = await createTestDatabase();
    const imports = [DatabaseModule.forUrl(database.url)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    queue = app.get(JobQueue);
    transactions = app.get(Transactions);
    await queue.open('q');
  });
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  async function add(group: string, tier = 'one'): Promise<string> {
    const id = v7();
    await queue.add('q', { id, group: { id: group, tier } });
    return id;
  }
  const rows = () => transactions.manager.query('SELECT id, state FROM pgboss.job WHERE name = $1', ['q']);

  it('undoes with the transaction what was done in it', async () => {
    const undone = transactions.run(async () => {
      await add('a');
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await rows()).toEqual([]);
    const kept = await add('a');
    const taking = transactions.run(async () => {
      expect(await queue.take('q', 5, limits)).toEqual([kept]);
      throw new Error('no');
    });
    await expect(taking).rejects.toThrow('no');
    expect(await queue.take('q', 5, limits)).toEqual([kept]);
  });

  it('gives each group as many as its tier has, the oldest first, and the others behind a full one', async () => {
    const a = [await add('a', 'two'), await add('a', 'two'), await add('a', 'two')];
    const b = [await add('b'), await add('b')];
    const taken: string[] = [];
    for (let got = await queue.take('q', 2, limits); got.length > 0; got = await queue.take('q', 2, limits)) {
      taken.push(...got);
    }
    expect(taken.toSorted()).toEqual([a[0], a[1], b[0]].toSorted());
    await queue.remove('q', a[0]!);
    expect(await queue.take('q', 2, limits)).toEqual([a[2]]);
  });

  it('keeps the place of what was put back, a second later', async () => {
    const [first, second] = [await add('a'), await add('a')];
    for (let times = 0; times < 3; times += 1) {
      expect(await queue.take('q', 1, limits)).toEqual([first]);
      await queue.putBack('q', first);
      await transactions.manager.query(
        "UPDATE pgboss.job SET start_after = now() - interval '1 s' WHERE id = $1",
        [first],
      );
    }
    expect(await queue.take('q', 1, limits)).toEqual([first]);
    await queue.putBack('q', first);
    expect(await queue.take('q', 1, limits)).toEqual([second]);
  });

  it('keeps nothing of what was removed', async () => {
    const id = await add('a');
    await queue.take('q', 1, limits);
    await queue.remove('q', id);
    expect(await rows()).toEqual([]);
  });
});
