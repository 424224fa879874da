import { query } from '@anthropic-ai/claude-agent-sdk';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskApi } from '../support/task-api.js';
import { WorkerFleet } from '../support/worker-fleet.js';
import { percentiles } from './percentiles.js';
import { report } from './report.js';

const COLD_STARTS = 20;
const MANY = 200;
const FEW = 10;
/** Of each worker; together they have what one worker has by default, two for each CPU. */
const PLACES = Math.max(2, availableParallelism());

/** Times in epoch milliseconds: accepted, taken by a worker, init of the CLI seen, ended. */
interface Ran {
  project: string;
  created: number;
  taken: number;
  started: number;
  finished: number;
}

/** Tasks over an API and two workers, a process each, with the real CLI in its box and a model that answers at once. */
describe('tasks on two workers', () => {
  let fleet: WorkerFleet;

  beforeAll(async () => {
    fleet = await WorkerFleet.start();
    fleet.model.script = () => ({ text: 'Done.' });
    await Promise.all([1, 2].map(() => fleet.worker({ MAX_RUNS: String(PLACES) })));
  }, 60_000);
  afterAll(() => fleet.stop(), 60_000);

  const enqueue = (user: TaskApi) => user.submit({ description: 'Say done' });

  /** What became of the tasks of these projects once all have ended. */
  async function ended(...projects: string[]): Promise<Ran[]> {
    for (; ; await sleep(100)) {
      const rows = await fleet.rows(
        `SELECT project, status, extract(epoch FROM created_at)::float8 * 1000 AS created,
                extract(epoch FROM created_at)::float8 * 1000 + (timing->>'queue_ms')::int AS taken,
                extract(epoch FROM started_at)::float8 * 1000 AS started,
                extract(epoch FROM finished_at)::float8 * 1000 AS finished
           FROM tasks WHERE project = ANY($1) ORDER BY id`,
        [projects],
      );
      if (rows.some(({ status }) => status === 'queued' || status === 'running')) continue;
      expect(rows.filter(({ status }) => status !== 'succeeded')).toEqual([]);
      return rows;
    }
  }

  it('starts a task within a second, cold', async () => {
    const user = await fleet.user('enterprise', 'cold');
    for (let index = 0; index < COLD_STARTS; index++) {
      await enqueue(user);
      await ended('cold');
    }
    const starts = percentiles((await ended('cold')).map(({ created, started }) => started - created));
    const bare = percentiles(await bareStarts(fleet.model.url));
    report({ bench: 'task start', unit: 'ms', starts, bare_cli: bare, ratio: starts.p50 / bare.p50 });
    expect(starts.p50).toBeLessThanOrEqual(1_000);
  }, 120_000);

  it(`lets ${FEW} tasks of one tenant start beside ${MANY} of another, and keeps to every limit`, async () => {
    const [a, b] = [await fleet.user('enterprise', 'tenant-a'), await fleet.user('pro', 'tenant-b')];
    await Promise.all(Array.from({ length: MANY }, () => enqueue(a)));
    await Promise.all(Array.from({ length: FEW }, () => enqueue(b)));
    const all = await ended('tenant-a', 'tenant-b');
    const of = (name: string) => all.filter(({ project }) => project === name);
    const few = of('tenant-b');
    const accepted = Math.min(...few.map(({ created }) => created));
    const waited = {
      first_taken_of_b_ms: Math.min(...few.map(({ taken }) => taken)) - accepted,
      first_start_of_b_ms: Math.min(...few.map(({ started }) => started)) - accepted,
      last_end_of_b_ms: Math.max(...few.map(({ finished }) => finished)) - accepted,
    };
    const atOnce = { a: mostAtOnce(of('tenant-a')), b: mostAtOnce(few) };
    const first = Math.min(...all.map(({ created }) => created));
    const seconds = (Math.max(...all.map(({ finished }) => finished)) - first) / 1000;
    report({
      ...{ bench: 'fairness', tasks: all.length, workers: 2, places_each: PLACES, ...waited },
      ...{ at_once: atOnce, seconds, per_second: all.length / seconds },
    });
    expect(atOnce.a).toBeLessThanOrEqual(10);
    expect(atOnce.b).toBeLessThanOrEqual(3);
    expect(waited.first_start_of_b_ms).toBeLessThanOrEqual(1_000);
  }, 400_000);
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
  const edges = ran.flatMap(({ taken, finished }) => [
    { at: taken, by: 1 },
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
