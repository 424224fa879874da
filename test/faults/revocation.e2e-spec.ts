import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@app/common';
import { alive, cliProcesses, type SeenProcess, treeOf } from '../support/processes.js';
import { plays, uses } from '../support/scripted-turns.js';
import type { ServerProcess } from '../support/server-process.js';
import { StreamClient } from '../support/stream-client.js';
import { boxOf, TaskApi, until } from '../support/task-api.js';
import { WorkerFleet } from '../support/worker-fleet.js';

jest.setTimeout(400_000);

const WITHIN_MS = 2_000;
const TASKS_OF_EACH = 10;
/** What one answer of the stand-in costs: 12 tokens in and 7 out of haiku. */
const CALL_NANO = 4_700;
const PARTS = {
  hangs: [{ text: 'I wait.', ...uses('Bash', { command: 'sleep 900' }) }, { text: 'Too late.' }],
  speaks: [{ text: 'word '.repeat(9_000), chunks: 9_000, chunkDelayMs: 100 }],
};

interface Doomed {
  id: string;
  key: string;
  api: TaskApi;
}

/**
 * Two whole servers on one database, each a process of its own. Twenty tasks of two keys hang in a tool of the real
 * CLI, ten a key being all that the largest tier allows; a third key has completions by every door. The three are
 * revoked at the same moment, through one of the servers, while both are hammered; a fourth key is nobody's concern.
 */
describe('keys that are revoked while 20 tasks run on two servers', () => {
  let fleet: WorkerFleet;
  let servers: ServerProcess[];
  let doomed: Doomed[];
  let bystander: { api: TaskApi; task: string; box: SeenProcess[] };
  let boxes: SeenProcess[];
  let sockets: StreamClient[];
  let answers: Promise<string>[];
  let budgets: string[];
  let answeredAt: number;
  let hammered: { sentAt: number; status: number }[];
  let goneAfterMs: number;

  beforeAll(async () => {
    fleet = await WorkerFleet.start();
    fleet.model.script = plays(PARTS);
    servers = [await whole(), await whole()];
    doomed = [await newKey(), await newKey(), await newKey()];
    budgets = [await budget(), await budget(doomed[0]!.id)];
    await startWork();
    await revokeUnderFire();
  });
  afterAll(() => fleet.stop());

  const whole = () =>
    fleet.worker({ ROLE: 'all', MAX_RUNS: '16', FAILED_KEYS_PER_MINUTE: '100000', POOL: 'off' });
  const idsOf = (keys: Doomed[]) => keys.map(({ id }) => id);

  async function newKey(project = 'doomed'): Promise<Doomed> {
    const { key } = await fleet.user('enterprise', project);
    const [row] = await fleet.rows('SELECT key_id AS id FROM api_key_secrets WHERE kid = $1', [
      key.slice(6, 18),
    ]);
    return { id: row.id, key, api: new TaskApi(servers[0]!.url, key) };
  }

  async function budget(keyId?: string): Promise<string> {
    const id = newId('budget');
    await fleet.rows(
      `INSERT INTO budgets (id, project, key_id, unit, limit_n, period, time_zone)
       VALUES ($1, 'doomed', $2, 'usd', 1000000000000, 'total', 'UTC')`,
      [id, keyId],
    );
    return id;
  }

  async function startWork(): Promise<void> {
    const other = await newKey('bystander');
    const task = await other.api.submit({ description: 'hangs: now' });
    for (const { api } of doomed.slice(0, 2)) {
      for (let turn = 0; turn < TASKS_OF_EACH; turn += 1) await api.submit({ description: 'hangs: now' });
    }
    const atWork = `SELECT count(DISTINCT task_id)::int AS tasks FROM task_events WHERE type = 'tool_call'`;
    await until(
      'all are in their tool',
      async () => (await fleet.rows(atWork))[0].tasks,
      (n) => n === 21,
      240_000,
    );
    const [talker] = doomed.slice(2) as [Doomed];
    answers = servers.flatMap(({ url }) => [false, true].map((stream) => spoken(url, talker.key, stream)));
    sockets = await Promise.all(
      servers.flatMap(({ url }) => doomed.map(({ key }) => StreamClient.open(url, key))),
    );
    sockets[2]!.send({ type: 'completion', id: 'c', prompt: 'speaks: now', model: 'haiku' });
    const open = `SELECT count(*)::int AS runs FROM runs WHERE outcome IS NULL AND kind = 'completion'`;
    await until(
      'all speak',
      async () => (await fleet.rows(open))[0].runs,
      (runs) => runs === 5,
    );
    await until(
      'all are heard',
      () => fleet.model.journal.length,
      (calls) => calls >= 21 + 5,
    );
    const [row] = await fleet.rows('SELECT run_id FROM tasks WHERE id = $1', [task]);
    bystander = { api: other.api, task, box: boxOf(row.run_id) };
    const spared = new Set(bystander.box.map(({ name }) => name));
    boxes = servers
      .flatMap(({ child }) => cliProcesses(child.pid!))
      .flatMap(({ parent }) => treeOf(parent))
      .filter(({ name, pid }) => !spared.has(name) && !servers.some(({ child }) => child.pid === pid));
  }

  async function spoken(url: string, key: string, stream: boolean): Promise<string> {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prompt: 'speaks: now', model: 'haiku', stream }),
    });
    return `${response.status} ${await response.text()}`;
  }

  async function revokeUnderFire(): Promise<void> {
    let firing = true;
    hammered = [];
    const fire = async ({ url }: ServerProcess, { key }: Doomed, path: string) => {
      for (; firing; await sleep(50)) {
        const sentAt = performance.now();
        const response = await fetch(url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
          body: JSON.stringify(path === '/v1/tasks' ? { description: 'hangs: now' } : { prompt: 'hi' }),
        });
        await response.arrayBuffer();
        hammered.push({ sentAt, status: response.status });
      }
    };
    const fires = servers.flatMap((server) => [
      fire(server, doomed[0]!, '/v1/completions'),
      fire(server, doomed[1]!, '/v1/tasks'),
    ]);
    await until(
      'both are under fire',
      () => hammered.length,
      (shots) => shots > 20,
    );
    const admin = await administrator();
    const revoked = await Promise.all(
      doomed.map(({ id }) =>
        fetch(`${servers[0]!.url}/v1/admin/keys/${id}/revoke`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
          body: '{}',
        }),
      ),
    );
    answeredAt = performance.now();
    expect(revoked.map(({ status }) => status)).toEqual([200, 200, 200]);
    await until(
      'all processes are gone',
      () => alive(boxes).length,
      (left) => left === 0,
    );
    goneAfterMs = performance.now() - answeredAt;
    await until('sockets are closed', () => sockets.every(({ closed }) => closed));
    await until(
      'both were asked afterwards',
      () => after().length,
      (shots) => shots > 20,
    );
    firing = false;
    await Promise.all(fires);
    await until(
      'all tasks have ended',
      () => fleet.rows(`SELECT 1 FROM tasks WHERE project = 'doomed' AND finished_at IS NULL`),
      (open) => open.length === 0,
    );
  }
  const after = () => hammered.filter(({ sentAt }) => sentAt > answeredAt);

  async function administrator(): Promise<string> {
    const { stdout } = await servers[0]!.cli('keys', 'create', '--admin', '--name', 'revoker', '--json');
    return JSON.parse(stdout).key;
  }

  it('had twenty tasks at work, on both servers', async () => {
    const owners = await fleet.rows(
      `SELECT count(*)::int AS runs FROM runs WHERE kind = 'task' AND key_id = ANY($1) GROUP BY owner ORDER BY 1`,
      [idsOf(doomed)],
    );
    expect(owners).toHaveLength(2);
    expect(owners[0].runs).toBeGreaterThanOrEqual(4);
    expect(owners[0].runs + owners[1].runs).toBe(2 * TASKS_OF_EACH);
    // The box, the CLI and what its tool started, of each.
    expect(boxes.length).toBeGreaterThan(3 * 25);
  });

  it('all their processes are gone and their sockets closed within 2 s of the answer', () => {
    process.stdout.write(
      `${boxes.length} processes were gone ${Math.round(goneAfterMs)} ms after the answer\n`,
    );
    expect(goneAfterMs).toBeLessThanOrEqual(WITHIN_MS);
    expect(sockets.map(({ closed }) => closed?.code)).toEqual(sockets.map(() => 4403));
  });

  it('none was admitted afterwards, by either server', async () => {
    expect(hammered.filter(({ status }) => status !== 401).length).toBeGreaterThan(10);
    expect(new Set(after().map(({ status }) => status))).toEqual(new Set([401]));
    const started = await fleet.rows(
      'SELECT r.id FROM runs r JOIN api_keys k ON k.id = key_id WHERE started_at > revoked_at',
    );
    expect(started).toEqual([]);
    // One that was on its way may still be taken into the queue, and ends there.
    const taken = await fleet.rows(
      `SELECT t.run_id, t.status FROM tasks t JOIN api_keys k ON k.id = key_id WHERE t.created_at > revoked_at`,
    );
    expect(taken.filter(({ run_id: run, status }) => run || status !== 'cancelled')).toEqual([]);
  });

  it('every run and every task, those that waited too, has exactly one outcome', async () => {
    const runs = await fleet.rows(
      `SELECT kind, outcome, error_code, count(*)::int FROM runs WHERE key_id = ANY($1) GROUP BY 1, 2, 3 ORDER BY 1`,
      [idsOf(doomed)],
    );
    const revoked = { outcome: 'cancelled', error_code: 'invalid_api_key' };
    expect(runs).toEqual([
      { kind: 'completion', ...revoked, count: 5 },
      { kind: 'task', ...revoked, count: 2 * TASKS_OF_EACH },
    ]);
    for (const [table, type] of [
      ['runs', 'run.ended'],
      ['tasks', 'task.ended'],
    ]) {
      const ends = await fleet.rows(
        `SELECT id, count(e.seq)::int AS ends FROM ${table} w
           LEFT JOIN audit_events e ON e.target->>'id' = w.id AND e.type = $1
          WHERE w.project = 'doomed' GROUP BY id HAVING count(e.seq) <> 1`,
        [type],
      );
      expect(ends).toEqual([]);
    }
    const tasks = await fleet.rows(
      `SELECT t.status, t.error->>'code' AS code, count(*) FILTER (WHERE e.type = 'result')::int AS results, t.id
         FROM tasks t JOIN task_events e ON e.task_id = t.id WHERE t.project = 'doomed' GROUP BY t.id`,
    );
    expect(tasks.length).toBeGreaterThan(2 * TASKS_OF_EACH);
    expect(tasks.filter(({ results, status }) => results !== 1 || status !== 'cancelled')).toEqual([]);
  });

  it('nothing is held any more, and what counts is what the model metered', async () => {
    const [project, own] = await Promise.all(
      budgets.map((id) =>
        fleet.rows(
          'SELECT held_n::int AS held, settled_n::float8 AS settled, overrun_n::int AS over FROM budget_windows WHERE budget_id = $1',
          [id],
        ),
      ),
    );
    expect(own).toEqual([{ held: 0, settled: TASKS_OF_EACH * CALL_NANO, over: 0 }]);
    const [sum] = await fleet.rows(
      `SELECT sum(settled_nano)::float8 AS settled, sum(cost_nano)::float8 AS known,
              count(*) FILTER (WHERE cost_nano IS NULL)::int AS unknown FROM runs WHERE project = 'doomed'`,
    );
    // Nobody knows what an answer costs that was cut: those five count as reserved.
    expect(sum).toMatchObject({ known: 2 * TASKS_OF_EACH * CALL_NANO, unknown: 5 });
    expect(project).toEqual([{ held: 0, settled: sum.settled, over: 0 }]);
  });

  it('callers are told why, and the fourth key’s task goes on', async () => {
    for (const answer of await Promise.all(answers)) expect(answer).toContain('the API key was revoked');
    expect((await bystander.api.show(bystander.task)).status).toBe('running');
    expect(alive(bystander.box)).toEqual(bystander.box);
  });
});
