import { setTimeout as sleep } from 'node:timers/promises';
import { KeysService, operatorPrincipal } from '@app/auth';
import { answering, ended, ScriptedExecutor, waited } from '../support/scripted-executor.js';
import { call, TaskInstallation, type TaskProcess, until } from '../support/task-installation.js';

/** Stands in for the CLI: what is looked at here is who runs when, over more runs than the CLI could do in a test. */
describe('the queue of tasks', () => {
  let installation: TaskInstallation;
  beforeEach(async () => {
    installation = await TaskInstallation.start();
  });
  afterEach(() => installation.stop());

  async function submit(
    server: TaskProcess,
    key: string,
    count: number,
    body: object = {},
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let done = 0; done < count; done += 1) {
      // How many a minute is not the question here.
      if (done % 5 === 0) await installation.sql.query('DELETE FROM rate_buckets');
      const answer = await call(server, key, 'POST', '/v1/tasks', { body: { description: 'x', ...body } });
      if (answer.status !== 202) throw new Error(answer.text);
      ids.push(answer.body.id);
    }
    return ids;
  }

  const tasks = async (where = 'true') =>
    (await installation.sql.query(`SELECT * FROM tasks WHERE ${where} ORDER BY id`)).rows;

  async function allEnded(withinMs = 60_000): Promise<any[]> {
    await until(async () => (await tasks('finished_at IS NULL')).length === 0, withinMs);
    return tasks();
  }

  /** Every log: numbered from 1 without a gap, `queued` first, `result` once, last, and as the row has it. */
  async function expectWholeLogs(): Promise<void> {
    const { rows } = await installation.sql.query(
      `SELECT t.id, t.status, t.last_seq, array_agg(e.seq ORDER BY e.seq) AS seqs,
              array_agg(e.type ORDER BY e.seq) AS types,
              array_agg(e.data ->> 'status') FILTER (WHERE e.type = 'result') AS told
         FROM tasks t JOIN task_events e ON e.task_id = t.id GROUP BY t.id`,
    );
    for (const { status, last_seq: last, seqs, types, told } of rows) {
      expect(seqs).toEqual(Array.from({ length: last }, (_, index) => index + 1));
      expect([types[0], types.at(-1), told]).toEqual(['queued', 'result', [status]]);
    }
  }

  it('keeps limits over two workers, and nobody waits for another one’s 200 tasks', async () => {
    const env = { MAX_RUNS: '8' };
    const executor = new ScriptedExecutor();
    const perKey = new Map<string, { now: number; most: number }>();
    executor.script = async function* (spec, signal) {
      const [who = ''] = spec.prompt.split(' ');
      const count = perKey.get(who) ?? { now: 0, most: 0 };
      perKey.set(who, count);
      count.most = Math.max(count.most, (count.now += 1));
      try {
        yield* answering('done', 150)(spec, signal);
      } finally {
        count.now -= 1;
      }
    };
    const [one, two] = [
      await installation.startProcess(env, executor),
      await installation.startProcess(env, executor),
    ];
    const [a, b] = [await installation.key(one, 'pro', 'a'), await installation.key(one, 'pro', 'b')];
    await Promise.all(Array.from({ length: 8 }, () => submit(one, a.key, 25, { description: 'a does it' })));
    const since = Date.now();
    await submit(two, b.key, 10, { description: 'b does it' });
    const first = await until(async () => {
      const started = await tasks(`key_id = '${b.id}' AND started_at IS NOT NULL`);
      return started.sort((x, y) => x.started_at - y.started_at)[0];
    });
    expect(first.started_at.getTime() - since).toBeLessThan(1_000);
    await until(async () => (await tasks(`key_id = '${b.id}' AND finished_at IS NULL`)).length === 0, 20_000);
    expect((await tasks(`key_id = '${a.id}' AND finished_at IS NULL`)).length).toBeGreaterThan(0);
    const all = await allEnded();
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['succeeded']));
    expect(all).toHaveLength(210);
    expect(all.every(({ attempt }) => attempt === 1)).toBe(true);
    expect([perKey.get('a')!.most, perKey.get('b')!.most]).toEqual([3, 3]);
    await expectWholeLogs();
  }, 90_000);

  it('keeps its last place for a key that has nothing running, and gives turns within a key in order', async () => {
    const executor = new ScriptedExecutor(answering('x', 600));
    const server = await installation.startProcess({ MAX_RUNS: '3' }, executor);
    const [a, b] = [await installation.key(server, 'enterprise'), await installation.key(server, 'free')];
    const ids = await submit(server, a.key, 6);
    await until(async () => (await tasks("status = 'running'")).length === 2);
    await sleep(200);
    expect((await tasks("status = 'running'")).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const [late] = await submit(server, b.key, 1);
    await until(async () => (await tasks(`id = '${late}' AND started_at IS NOT NULL`)).length > 0, 1_000);
    const all = (await allEnded()).filter(({ key_id: id }) => id === a.id);
    const byStart = all.toSorted((x, y) => x.started_at - y.started_at).map(({ id }) => id);
    for (const [index, id] of byStart.entries()) expect(Math.abs(ids.indexOf(id) - index)).toBeLessThan(2);
    expect(executor.most).toBe(3);
  });

  it('gives one workspace to one task at a time, and other tasks pass those that wait for it', async () => {
    const executor = new ScriptedExecutor(answering('x', 500));
    const server = await installation.startProcess({ MAX_RUNS: '8' }, executor);
    const { key } = await installation.key(server);
    const ids = await submit(server, key, 3, { workspace: 'shared' });
    const [other] = await submit(server, key, 1);
    await until(async () => (await tasks(`id = '${other}' AND started_at IS NOT NULL`)).length > 0, 400);
    const all = (await allEnded()).filter(({ id }) => ids.includes(id));
    const spans = all.map(({ started_at: from, finished_at: to }) => [from.getTime(), to.getTime()]);
    spans.sort(([x], [y]) => x! - y!);
    for (const [index, [from]] of spans.entries())
      if (index > 0) expect(from).toBeGreaterThanOrEqual(spans[index - 1]![1]!);
    expect(all.every(({ attempt, status }) => attempt === 1 && status === 'succeeded')).toBe(true);
  }, 60_000);

  it('lets a task wait while completions have all places of its key', async () => {
    const executor = new ScriptedExecutor(answering('x', 1_500));
    const server = await installation.startProcess({}, executor);
    const { key } = await installation.key(server, 'free');
    const completion = call(server, key, 'POST', '/v1/completions', { body: { prompt: 'x' } });
    await until(async () => executor.working === 1);
    const [id] = await submit(server, key, 1);
    expect((await completion).status).toBe(200);
    const [task] = await allEnded();
    expect(task).toMatchObject({ id, status: 'succeeded', error: null });
    expect(task.attempt).toBeGreaterThan(1);
    await expectWholeLogs();
  });

  it('ends what waits when its key is revoked, and what runs too', async () => {
    const executor = new ScriptedExecutor(async function* (spec, signal) {
      yield { type: 'started', model: spec.model };
      await waited(30_000, signal);
      yield ended({ status: 'cancelled' });
    });
    const server = await installation.startProcess({}, executor);
    const { id, key } = await installation.key(server, 'free');
    await submit(server, key, 3);
    await until(async () => executor.working === 1);
    await server.app.get(KeysService).revoke(operatorPrincipal(), id);
    const all = await allEnded(5_000);
    expect(all.map(({ status, error }) => [status, error.code])).toEqual(
      Array.from({ length: 3 }, () => ['cancelled', 'invalid_api_key']),
    );
    await expectWholeLogs();
  });

  it('has one end for each of 200 tasks that are cancelled at the moment of their end', async () => {
    const executor = new ScriptedExecutor(async function* (spec, signal) {
      yield { type: 'started', model: spec.model };
      await waited(5 + Math.random() * 40, signal);
      yield { type: 'token', content: 'said' };
      yield signal.aborted
        ? ended({ status: 'cancelled', text: 'said' })
        : ended({ status: 'succeeded', text: 'said' });
    });
    const server = await installation.startProcess({ MAX_RUNS: '20' }, executor);
    const keys = await Promise.all(
      Array.from({ length: 10 }, (_, index) => installation.key(server, 'enterprise', `p${index}`)),
    );
    const answers: { id: string; status: number; told: string }[] = [];
    await Promise.all(
      keys.map(async ({ key }) => {
        // Homes in on the moment of the end, however fast the machine is.
        let aimMs = 60;
        for (let round = 0; round < 20; round += 1) {
          const [id] = await submit(server, key, 1);
          await sleep(aimMs * (0.5 + Math.random()));
          const { status, body } = await call(server, key, 'POST', `/v1/tasks/${id}/cancel`);
          answers.push({ id: id!, status, told: body.status ?? body.error.details.status });
          aimMs *= status === 200 ? 1.4 : 0.7;
        }
      }),
    );
    const byId = new Map((await allEnded()).map((task) => [task.id, task]));
    expect(answers).toHaveLength(200);
    for (const { id, status, told } of answers) {
      expect([id, told]).toEqual([id, byId.get(id).status]);
      expect([id, status, told]).toEqual([id, status, status === 200 ? 'cancelled' : 'succeeded']);
    }
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    await expectWholeLogs();
    const { rows } = await installation.sql.query(
      'SELECT count(*)::int AS open FROM runs WHERE outcome IS NULL',
    );
    expect(rows).toEqual([{ open: 0 }]);
  }, 90_000);
});
