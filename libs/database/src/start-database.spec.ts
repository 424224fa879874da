import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { ConfigError } from '@app/config';
import { connect, disconnect } from './connect.js';
import type { DatabaseHandle } from './database-handle.js';
import { removeEmbeddedDatabase, startDatabase } from './start-database.js';

describe('startDatabase', () => {
  let home: string;
  let handles: DatabaseHandle[];

  beforeEach(() => {
    Logger.overrideLogger(false);
    home = mkdtempSync(join(tmpdir(), 'start-database-'));
    handles = [];
  });
  afterEach(async () => {
    for (const handle of handles) await handle.release();
    await removeEmbeddedDatabase(home);
    rmSync(home, { recursive: true });
  });

  async function start(): Promise<DatabaseHandle> {
    const handle = await startDatabase({ home });
    handles.push(handle);
    return handle;
  }

  async function query<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
    const client = await connect(url);
    return (await client.query<T>(sql).finally(() => disconnect(client))).rows;
  }

  async function answers(url: string): Promise<boolean> {
    return query(url, 'SELECT 1').then(
      () => true,
      () => false,
    );
  }

  async function serverPid(url: string): Promise<number> {
    const [row] = await query<{ data_directory: string }>(url, 'SHOW data_directory');
    return Number(readFileSync(join(row!.data_directory, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  it('lets one of six starters at once make the cluster, and the others attach', async () => {
    await Promise.all(Array.from({ length: 6 }, start));

    expect(new Set(handles.map(({ url }) => url)).size).toBe(1);
    expect(handles.filter(({ startedHere }) => startedHere)).toHaveLength(1);
    expect(await answers(handles[0]!.url)).toBe(true);
  });

  it('listens on loopback only and wants the password', async () => {
    const { url } = await start();

    expect(await query(url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await query(url, 'SHOW unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
    expect(await answers(url.replace(/:[0-9a-f]{64}@/, ':guess@'))).toBe(false);
  });

  it('brings a killed server back on its port within 5 s, with every acknowledged row', async () => {
    const { url } = await start();
    handles[0]!.supervise();
    await query(url, 'CREATE TABLE kept (n int)');
    for (let n = 0; n < 50; n++) await query(url, `INSERT INTO kept VALUES (${n})`);

    process.kill(await serverPid(url), 'SIGKILL');

    const killedAt = performance.now();
    await sleep(20);
    while (!(await answers(url))) await sleep(50);
    expect(performance.now() - killedAt).toBeLessThan(5_000);
    expect(await query(url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 50 }]);
  });

  it('starts again what was killed while nobody watched', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept ()');
    process.kill(await serverPid(first.url), 'SIGKILL');

    const second = await start();

    expect(second.startedHere).toBe(true);
    expect(await query(second.url, 'SELECT * FROM kept')).toEqual([]);
  });

  it('starts although a stranger has the pid of the dead server', async () => {
    const first = await start();
    const [row] = await query<{ data_directory: string }>(first.url, 'SHOW data_directory');
    await handles.pop()!.release();
    const port = new URL(first.url).port;
    writeFileSync(join(row!.data_directory, 'postmaster.pid'), `${process.pid}\nx\n0\n${port}\n\n\n\n`);

    expect((await start()).startedHere).toBe(true);
  });

  it('stops the server with the last process that is responsible for it', async () => {
    const starter = await start();
    const guest = await start();
    const server = await start();
    server.supervise();
    handles = [];

    await starter.release();
    expect(await answers(starter.url)).toBe(true);
    await guest.release();
    expect(await answers(starter.url)).toBe(true);
    await server.release();
    expect(await answers(starter.url)).toBe(false);
  });

  it('leaves the server to another client', async () => {
    const handle = await start();
    const client = await connect(handle.url);

    await handle.release();

    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await disconnect(client);
  });

  it('begins anew in a home that was removed and made again', async () => {
    const old = await start();
    await query(old.url, 'CREATE TABLE kept ()');
    await handles.pop()!.release();
    const pointer = join(home, 'postgres-folder');
    const outside = existsSync(pointer) ? readFileSync(pointer, 'utf8') : undefined;
    rmSync(home, { recursive: true });
    mkdirSync(home, { mode: 0o700 });

    const fresh = await start();

    await expect(query(fresh.url, 'SELECT * FROM kept')).rejects.toThrow('does not exist');
    if (outside) rmSync(outside, { recursive: true });
  });

  it('keeps the cluster in the home when Postgres may reach it there', async () => {
    rmSync(home, { recursive: true });
    mkdirSync(home, { mode: 0o755 });

    const { url } = await start();

    const [row] = await query<{ data_directory: string }>(url, 'SHOW data_directory');
    expect(row!.data_directory).toBe(join(home, 'postgres', 'data'));
  });

  describe('with a DATABASE_URL', () => {
    const refusal = (databaseUrl: string) =>
      startDatabase({ home, databaseUrl }).then(
        () => undefined,
        (error: unknown) => error as Error,
      );

    it('uses that server and leaves it alone', async () => {
      const { url } = await start();
      const external = await startDatabase({ home, databaseUrl: url });

      external.supervise();
      await external.release();

      expect(external).toMatchObject({ url, mode: 'external', startedHere: false });
      expect(await answers(url)).toBe(true);
    });

    it('says in one line what is wrong with it, without the password', async () => {
      const { url } = await start();
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const urls = {
        'rejects the user or password': url.replace(/:[0-9a-f]{64}@/, ':hunter2@'),
        'has no such database': url.replace(/postgres$/, 'nowhere'),
        'refuses connections': 'postgres://me:hunter2@127.0.0.1:1/app',
        'has a host name that is not known': 'postgres://me:hunter2@nowhere.invalid/app',
        'does not answer within 3 s': `postgres://me:hunter2@127.0.0.1:${port}/app`,
      };

      const errors = await Promise.all(Object.values(urls).map(refusal));
      silent.close();

      Object.keys(urls).forEach((words, n) => {
        expect(errors[n]).toBeInstanceOf(ConfigError);
        expect(errors[n]!.message).toContain(words);
        expect(errors[n]!.message).not.toMatch(/hunter2|[0-9a-f]{64}|\n/);
      });
    });
  });
});
