import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { DatabaseHealth } from './database-health.js';
import { DatabaseModule } from './database.module.js';
import { Notifications } from './notifications.js';
import { Transactions } from './transactions.js';

describe('the database module', () => {
  let database: TestDatabase;
  let app: TestingModule;
  let transactions: Transactions;
  let notifications: Notifications;
  let other: pg.Client;

  beforeEach(async () => {
    database = await createTestDatabase();
    const imports = [DatabaseModule.forUrl(database.url)];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    Logger.overrideLogger(false);
    transactions = app.get(Transactions);
    notifications = app.get(Notifications);
    other = new pg.Client(database.url);
    await other.connect();
    await other.query('CREATE TABLE notes (text text)');
  });
  afterEach(async () => {
    await app.close();
    await other.end();
    await database.drop();
  });

  const write = (text: string) => transactions.manager.query('INSERT INTO notes VALUES ($1)', [text]);
  const notes = async () =>
    (await other.query('SELECT text FROM notes ORDER BY 1')).rows.map(({ text }) => text);

  async function until(condition: () => boolean): Promise<void> {
    for (let tries = 0; !condition(); tries++) {
      if (tries === 200) throw new Error('it never came');
      await sleep(20);
    }
  }

  describe('transactions', () => {
    it('commit what ran inside, also in nested runs, at the end of the outer one', async () => {
      await transactions.run(async () => {
        await write('outer');
        await transactions.run(() => write('inner'));
        expect(await notes()).toEqual([]);
      });

      expect(await notes()).toEqual(['inner', 'outer']);
    });

    it('undo everything when any part fails', async () => {
      const work = transactions.run(async () => {
        await transactions.run(() => write('inner'));
        throw new Error('changed my mind');
      });

      await expect(work).rejects.toThrow('changed my mind');
      expect(await notes()).toEqual([]);
    });

    it('do not see each other, and each gives its connection back', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) =>
          transactions.run(async () => {
            await write(`note ${n}`);
            if (n % 2) throw new Error('odd');
          }),
        ),
      );

      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(25);
      expect(await notes()).toHaveLength(25);
    });

    it('have no hold on work that outlives them', async () => {
      let late!: Promise<unknown>;
      await transactions.run(async () => {
        late = sleep(50).then(() => transactions.run(() => write('late')));
      });

      await late;
      expect(await notes()).toEqual(['late']);
    });

    it('leave an ordinary refusal of the database as it is', async () => {
      await expect(transactions.manager.query('SELECT * FROM nowhere')).rejects.toMatchObject({
        code: '42P01',
      });
      expect(await app.get(DatabaseHealth).check()).toEqual({ status: 'ok' });
    });

    it('keep what stood in a refused row out of the error', async () => {
      await other.query('CREATE UNIQUE INDEX ON notes (text)');
      await write('a secret');

      const error = await write('a secret').catch((failure: unknown) => failure);

      expect(error).toMatchObject({ code: '23505', constraint: 'notes_text_idx' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a secret');
    });
  });

  describe('notifications', () => {
    it('arrive when the transaction commits, and not when it is undone', async () => {
      const heard: string[] = [];
      notifications.listen('weather', (payload) => heard.push(payload));
      await until(() => notifications.connected);

      await transactions
        .run(() => notifications.notify('weather', 'undone').then(() => Promise.reject(Error())))
        .catch(() => undefined);
      await transactions.run(async () => {
        await notifications.notify('weather', 'sun');
        await sleep(100);
        expect(heard).toEqual([]);
      });

      await until(() => heard.length > 0);
      expect(heard).toEqual(['sun']);
    });

    it('reach every listener of a channel, however late or clumsy', async () => {
      const heard: string[] = [];
      notifications.listen('a', () => {
        throw new Error('clumsy');
      });
      notifications.listen('a', (payload) => heard.push(payload));
      await until(() => notifications.connected);
      notifications.listen('Late "one"', (payload) => heard.push(payload));
      await sleep(100);

      await notifications.notify('a', '1');
      await notifications.notify('Late "one"', '2');

      await until(() => heard.length === 2);
      expect(heard).toEqual(['1', '2']);
    });

    it('listen again when their connection was cut, and say so', async () => {
      const heard: string[] = [];
      let connections = 0;
      notifications.onReconnect(() => connections++);
      notifications.listen('weather', (payload) => heard.push(payload));
      await until(() => connections === 1);

      await other.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%listener' AND datname = current_database()",
      );

      await until(() => connections === 2);
      expect(notifications.connected).toBe(true);
      await notifications.notify('weather', 'sun');
      await until(() => heard.length === 1);
    });
  });
});
