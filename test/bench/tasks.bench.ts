import { query } from '@anthropic-ai/claude-agent-sdk';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startTestService, type TestService } from '../support/test-service.js';
import { percentiles } from './percentiles.js';

const COLD_STARTS = 20;
const MANY = 200;
const FEW = 10;
const SECRETS = {
  KEY_PEPPER: 'a pepper that both workers of this benchmark share',
  AUDIT_KEY: 'an audit key that both workers of this benchmark share',
};

interface Ran {
  key_id: string;
  created: number;
  started: number;
  finished: number;
}

/** Tasks through two workers on one database, with the real CLI in its box and a model that answers at once. */
describe('tasks on two workers', () => {
  let services: TestService[] = [];
  let database: pg.Client;

  beforeAll(async () => {
    const first = await startTestService(SECRETS);
    const shared = {
      ...SECRETS,
      DATABASE_URL: first.databaseUrl,
      ANTHROPIC_BASE_URL: first.model.url,
      BLOB_DIR: first.config.blobDir,
    };
    services = [first, await startTestService(shared)];
    first.model.script = () => ({ text: 'Done.' });
    database = new pg.Client(first.databaseUrl);
    await database.connect();
  }, 60_000);
  afterAll(async () => {
    await database?.end();
    for (const service of services.toReversed()) await service.stop();
  }, 60_000);

  const enqueue = async (key: string, index: number) => {
    const service = services[index % services.length]!;
    const { status } = await service.post('/v1/tasks', { description: 'Say done', model: 'haiku' }, key);
    expect(status).toBe(202);
  };

  /** What became of the tasks of these keys once all have ended; times in epoch milliseconds. */
  const ended = async (...keys: string[]): Promise<Ran[]> => {
    for (;;) {
      const { rows } = await database.query(
        `SELECT key_id, status, extract(epoch FROM created_at) * 1000 AS created,
                extract(epoch FROM started_at) * 1000 AS started,
                extract(epoch FROM finished_at) * 1000 AS finished FROM tasks WHERE key_id = ANY($1)`,
        [keys],
      );
      if (rows.every(({ status }) => status !== 'queued' && status !== 'running')) {
        expect(rows.filter(({ status }) => status !== 'succeeded')).toEqual([]);
        return rows.map(({ key_id, ...times }) => ({
          key_id,
          created: Number(times.created),
          started: Number(times.started),
          finished: Number(times.finished),
        }));
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };

  it(`starts a task within a second, cold`, async () => {
    const { id, key } = await services[0]!.key();
    for (let index = 0; index < COLD_STARTS; index++) {
      await enqueue(key, 0);
      await ended(id);
    }
    const starts = percentiles((await ended(id)).map(({ created, started }) => started - created));
    const bare = percentiles(await bareStarts(services[0]!.model.url));
    report({ bench: 'task start', unit: 'ms', starts, bare_cli: bare, ratio: starts.p50 / bare.p50 });
    expect(starts.p50).toBeLessThanOrEqual(1_000);
  }, 120_000);

  it(`lets ${FEW} tasks of one tenant start beside ${MANY} of another, and keeps to every limit`, async () => {
    const [a, b] = [
      await services[0]!.key('enterprise', 'tenant-a'),
      await services[0]!.key('pro', 'tenant-b'),
    ];
    await Promise.all(Array.from({ length: MANY }, (_, index) => enqueue(a.key, index)));
    await Promise.all(Array.from({ length: FEW }, (_, index) => enqueue(b.key, index)));
    const all = await ended(a.id, b.id);
    const of = (keyId: string) => all.filter(({ key_id }) => key_id === keyId);
    const firstOfB = Math.min(...of(b.id).map(({ started }) => started));
    const firstStartMs = firstOfB - Math.min(...of(b.id).map(({ created }) => created));
    const atOnce = { a: mostAtOnce(of(a.id)), b: mostAtOnce(of(b.id)) };
    const seconds =
      (Math.max(...all.map(({ finished }) => finished)) - Math.min(...all.map(({ created }) => created))) /
      1000;
    const perSecond = all.length / seconds;
    report({
      bench: 'fairness',
      tasks: all.length,
      first_start_of_b_ms: firstStartMs,
      at_once: atOnce,
      per_second: perSecond,
    });
    expect(atOnce.a).toBeLessThanOrEqual(10);
    expect(atOnce.b).toBeLessThanOrEqual(3);
    expect(firstStartMs).toBeLessThanOrEqual(1_000);
  }, 300_000);
});

/** Control: how long the bare CLI takes to its init, a process for each, without service, queue or box. */
async function bareStarts(modelUrl: string): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < COLD_STARTS; index++) {
    const home = await mkdtemp(join(tmpdir(), 'bench-home-'));
    const env = {
      ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: home },
      ...{ ANTHROPIC_BASE_URL: modelUrl, ANTHROPIC_API_KEY: 'bench' },
    };
    const startedAt = performance.now();
    const options = { env, cwd: home, settingSources: [], model: 'claude-haiku-5-5' };
    for await (const message of query({ prompt: 'Say done', options })) {
      if (message.type === 'system' && message.subtype === 'init')
        samples.push(performance.now() - startedAt);
    }
    await rm(home, { recursive: true, force: true });
  }
  return samples;
}

function mostAtOnce(ran: Ran[]): number {
  const edges = ran.flatMap(({ started, finished }) => [
    { at: started, by: 1 },
    { at: finished, by: -1 },
  ]);
  let running = 0;
  let most = 0;
  for (const { by } of edges.sort((x, y) => x.at - y.at || x.by - y.by)) {
    running += by;
    most = Math.max(most, running);
  }
  return most;
}

function report(result: object): void {
  process.stdout.write(`\n${JSON.stringify(result)}\n`);
}
