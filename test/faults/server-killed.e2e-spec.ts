import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { databaseUrlOf } from '../support/embedded-url.js';
import { ModelStandIn } from '../support/model-stand-in.js';
import { alive, cliProcesses, treeOf } from '../support/processes.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';

jest.setTimeout(180_000);

const isPostgres = (command: string) => /postgres/.test(command);

describe('a server that is killed, and a database that goes away', () => {
  let model: ModelStandIn;
  let home: string;
  let server: ServerProcess;
  let key: string;
  const servers: ServerProcess[] = [];
  const environment = () => ({
    ANTHROPIC_API_KEY: 'sk-ant-test',
    ANTHROPIC_BASE_URL: model.url,
    MAX_RUNS: '20',
  });

  beforeAll(async () => {
    model = await ModelStandIn.start();
    home = await ServerProcess.temporaryHome();
    server = await ServerProcess.start(home, environment());
    servers.push(server);
  });
  afterAll(async () => {
    await cleanUp(home, servers);
    await model.stop();
  });

  const stream = (as: string) =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${as}` },
      body: JSON.stringify({ prompt: 'go on', model: 'haiku', stream: true }),
    }).then((response) => response.text());
  const rows = async <T extends object>(sql: string) => {
    const client = new Client({ connectionString: await databaseUrlOf(server.env) });
    await client.connect();
    const result = await client.query<T>(sql);
    await client.end();
    return result.rows;
  };

  it('kill -9 during 20 streams: after a restart no orphan is left, keys work, each run has one outcome', async () => {
    const keys = await Promise.all([server.createKey(), server.createKey()]);
    key = keys[0].key;
    model.script = () => ({ text: 'word '.repeat(2000), chunks: 2000, chunkDelayMs: 50 });
    const streams = Array.from({ length: 20 }, (_, index) =>
      stream(keys[index % 2]?.key ?? '').catch(() => 'cut'),
    );
    for (const end = Date.now() + 120_000; model.journal.length < 20; await sleep(50)) {
      if (Date.now() > end) throw new Error(`only ${model.journal.length} streams started`);
    }
    const killed = server.child.pid as number;
    expect(cliProcesses(killed).length).toBeGreaterThanOrEqual(20);
    // Boxes with all that is in them; the database is no child of one run and stays.
    const before = treeOf(killed).filter(({ pid, command }) => pid !== killed && !isPostgres(command));

    server.child.kill('SIGKILL');
    await Promise.all(streams);
    server = await ServerProcess.start(home, { ...environment(), PORT: String(server.port) });
    servers.push(server);
    const startedAt = Date.now();
    while (alive(before).length > 0) {
      expect(Date.now() - startedAt).toBeLessThan(5000);
      await sleep(50);
    }

    model.script = () => ({});
    expect(await stream(key)).toContain('event: done');
    const outcomes = await rows<{ outcome: string; error_code: string; count: string }>(
      'SELECT outcome, error_code, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1, 2',
    );
    expect(outcomes).toEqual([
      { outcome: 'failed', error_code: 'server_lost', count: '20' },
      { outcome: 'succeeded', error_code: null, count: '1' },
    ]);
    const [twice] = await rows<{ count: string }>(
      `SELECT count(*) FROM (SELECT target->>'id' FROM audit_events WHERE type = 'run.ended'
        GROUP BY 1 HAVING count(*) > 1) AS ended_twice`,
    );
    expect(twice?.count).toBe('0');
  });

  it('Postgres killed under load: 503s, never 401, and answers again within 5 s', async () => {
    model.script = () => ({});
    const seen: number[] = [];
    let running = true;
    const client = async () => {
      while (running) {
        const response = await fetch(`${server.url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
          body: JSON.stringify({ prompt: 'hi', model: 'haiku' }),
        });
        await response.arrayBuffer();
        seen.push(response.status);
        if (response.status !== 200) await sleep(50);
      }
    };
    const clients = [client(), client(), client()];
    await sleep(2000);
    const postmaster = (
      await rows<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`)
    )[0]?.pid as number;
    const parent = Number(/PPid:\t(\d+)/.exec(readFileSync(`/proc/${postmaster}/status`, 'utf8'))?.[1]);
    seen.length = 0;
    process.kill(parent, 'SIGKILL');
    const killedAt = Date.now();
    const okAgain = async () => {
      const mark = seen.length;
      await sleep(200);
      return seen.slice(mark).includes(200) && Date.now() - killedAt > 1000;
    };
    while (!(await okAgain())) expect(Date.now() - killedAt).toBeLessThan(10_000);
    running = false;
    await Promise.all(clients);
    expect(new Set(seen)).toEqual(new Set([200, 503]));
    // Answers that were given while the database was away are written once it is back.
    const open = async () =>
      (await rows<{ count: string }>('SELECT count(*) FROM runs WHERE outcome IS NULL'))[0]?.count;
    for (const end = Date.now() + 5000; (await open()) !== '0'; await sleep(100)) {
      expect(Date.now()).toBeLessThan(end);
    }
  });

  it('Ctrl-C drains: a running answer is finished, new work is refused, no process is left', async () => {
    model.reset();
    model.script = () => ({ text: 'word '.repeat(20), chunks: 20, chunkDelayMs: 100 });
    const running = stream(key);
    while (model.journal.length === 0) await sleep(20);
    const inRun = cliProcesses(server.child.pid as number).flatMap(({ parent }) => treeOf(parent));
    expect(inRun.length).toBeGreaterThan(0);
    server.child.kill('SIGINT');
    await sleep(200);
    const refused = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prompt: 'hi', model: 'haiku' }),
    }).then(
      ({ status }) => status,
      () => 'connection refused',
    );
    expect([503, 'connection refused']).toContain(refused);
    expect(await running).toContain('event: done');
    expect(await server.exited()).toBe(0);
    expect(alive(inRun)).toEqual([]);
  });
});
