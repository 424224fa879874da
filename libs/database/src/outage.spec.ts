import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { DatabaseHealth } from './database-health.js';
import type { DatabaseHandle } from './database-handle.js';
import { DatabaseModule } from './database.module.js';
import { Notifications } from './notifications.js';
import { removeEmbeddedDatabase, startDatabase } from './start-database.js';
import { Transactions } from './transactions.js';

describe('while the database is away', () => {
  let home: string;
  let server: DatabaseHandle;
  let app: TestingModule;
  let transactions: Transactions;

  beforeEach(async () => {
    Logger.overrideLogger(false);
    home = mkdtempSync(join(tmpdir(), 'outage-'));
    server = await startDatabase({ home });
    const imports = [DatabaseModule.forUrl(server.url)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    transactions = app.get(Transactions);
  });
  afterEach(async () => {
    await app.close();
    await server.release();
    await removeEmbeddedDatabase(home);
    rmSync(home, { recursive: true });
  });

  const query = () => transactions.manager.query('SELECT 1 AS one');
  const transaction = () => transactions.run(query);
  const unavailable = { code: 'database_unavailable', retryAfterSeconds: 1 };

  async function processes(): Promise<number[]> {
    const [{ data_directory: data }] = await transactions.manager.query('SHOW data_directory');
    const backends = await transactions.manager.query('SELECT pid FROM pg_stat_activity');
    const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return [postmaster, ...backends.map(({ pid }: { pid: number }) => pid)];
  }

  it('answers database_unavailable, also to a transaction under way, and recovers by itself', async () => {
    const [postmaster] = await processes();
    const underWay = transactions.run(async () => {
      await query();
      process.kill(postmaster!, 'SIGKILL');
      await sleep(200);
      return query();
    });

    await expect(underWay).rejects.toMatchObject(unavailable);
    await expect(query()).rejects.toMatchObject(unavailable);
    await expect(transaction()).rejects.toMatchObject(unavailable);
    expect(await app.get(DatabaseHealth).check()).toMatchObject({ status: 'failing' });

    server.supervise();
    await sleep(4_000);
    expect(await query()).toEqual([{ one: 1 }]);
    expect(await transaction()).toEqual([{ one: 1 }]);
  });

  it('never lets the rest of a lost transaction go through on another connection', async () => {
    await transactions.manager.query('CREATE TABLE notes (text text)');
    const work = transactions.run(async () => {
      const [{ pid }] = await transactions.manager.query('SELECT pg_backend_pid() AS pid');
      await transactions.manager.query('SELECT pg_terminate_backend($1)', [pid]).catch(() => undefined);
      await transactions.manager.query("INSERT INTO notes VALUES ('rest')").catch(() => undefined);
    });

    await expect(work).rejects.toMatchObject(unavailable);
    expect(await transactions.manager.query('SELECT * FROM notes')).toEqual([]);
  });

  it('answers within seconds when Postgres is paused, and recovers when it goes on', async () => {
    app.get(Notifications).listen('any', () => undefined);
    await Promise.all(Array.from({ length: 10 }, query));
    const paused = await processes();
    for (const pid of paused) process.kill(pid, 'SIGSTOP');

    const since = performance.now();
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 15 }, query),
      ...Array.from({ length: 5 }, transaction),
    ]);
    const took = performance.now() - since;
    for (const pid of paused) process.kill(pid, 'SIGCONT');

    expect(took).toBeLessThan(10_000);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
    expect(await transaction()).toEqual([{ one: 1 }]);
  });
});
