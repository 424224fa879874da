import { setTimeout as sleep } from 'node:timers/promises';
import { answering, ended, ScriptedExecutor, waited } from '../support/scripted-executor.js';
import { severableUrl } from '../support/severable-url.js';
import { call, TaskInstallation, type TaskProcess, until } from '../support/task-installation.js';

/** The lease of a task is made to end while its worker goes on, as if that one had been away for long. */
describe('a task that is taken from its worker', () => {
  let installation: TaskInstallation;
  let key: string;
  let one: TaskProcess;
  let release: AbortController;
  let late: unknown[];
  beforeEach(async () => {
    installation = await TaskInstallation.start();
    release = new AbortController();
    late = [];
    one = await installation.startProcess({}, new ScriptedExecutor());
    ({ key } = await installation.key(one));
  });
  afterEach(() => installation.stop());

  async function submit(): Promise<string> {
    const { body } = await call(one, key, 'POST', '/v1/tasks', { body: { description: 'x' } });
    return body.id;
  }
  const row = async (id: string) =>
    (await installation.sql.query('SELECT * FROM tasks WHERE id = $1', [id])).rows[0];
  const events = async (id: string) =>
    (
      await installation.sql.query(
        'SELECT seq, type, data FROM task_events WHERE task_id = $1 ORDER BY seq',
        [id],
      )
    ).rows;
  const expire = (id: string) =>
    installation.sql.query("UPDATE tasks SET lease_until = now() - interval '1 s' WHERE id = $1", [id]);

  /** Says something after it was told to stop, and only then ends. */
  const stubborn = (before: 'started' | 'silent') =>
    async function* (spec: any, signal: AbortSignal): any {
      if (before === 'started') yield { type: 'started', model: spec.model };
      await waited(30_000, release.signal);
      late.push(signal.aborted);
      if (before === 'silent') yield { type: 'started', model: spec.model };
      yield { type: 'token', content: 'too late' };
      yield { type: 'retry', attempt: 1, upstreamStatus: 500 };
      yield ended({ status: 'succeeded', text: 'too late' });
    };

  it('ends as worker_lost when it had started, and the old worker writes nothing more', async () => {
    one.executor.script = stubborn('started');
    const id = await submit();
    await until(async () => (await row(id)).started_at);
    await expire(id);
    await until(async () => (await row(id)).finished_at, 5_000);
    const before = await events(id);
    await sleep(4_000);
    release.abort();
    await until(async () => one.executor.working === 0);
    await sleep(300);
    expect(late).toEqual([true]);
    expect(await row(id)).toMatchObject({ status: 'failed', error: { code: 'worker_lost' }, result: null });
    expect(await events(id)).toEqual(before);
    expect(before.map(({ type }) => type)).toEqual(['queued', 'started', 'result']);
    const { rows } = await installation.sql.query('SELECT outcome, error_code FROM runs');
    expect(rows).toEqual([{ outcome: 'failed', error_code: 'server_lost' }]);
  });

  it('is done by another worker when it had not started, and only that one’s words are kept', async () => {
    one.executor.script = stubborn('silent');
    const id = await submit();
    await until(async () => one.executor.working === 1);
    // Whoever takes it now, be it the same process, is another attempt.
    one.executor.script = answering('in time');
    await installation.startProcess({}, new ScriptedExecutor(answering('in time')));
    await expire(id);
    const done = await until(async () => {
      const found = await row(id);
      return found.finished_at && found;
    });
    const before = await events(id);
    await sleep(4_000);
    release.abort();
    await until(async () => one.executor.working === 0);
    await sleep(300);
    expect(late).toEqual([true]);
    expect(done).toMatchObject({ status: 'succeeded', result: { output: 'in time' } });
    expect(done.attempt).toBe(2);
    expect(await events(id)).toEqual(before);
    expect(before.map(({ type }) => type)).toEqual(['queued', 'queued', 'started', 'token', 'result']);
    expect(before[1]!.data).toEqual({ position: 1, attempt: 2 });
    const { rows } = await installation.sql.query('SELECT outcome, error_code FROM runs ORDER BY started_at');
    expect(rows).toEqual([
      { outcome: 'failed', error_code: 'server_lost' },
      { outcome: 'succeeded', error_code: null },
    ]);
  });

  it('ends as cancelled when somebody had asked for that', async () => {
    one.executor.script = stubborn('started');
    const id = await submit();
    await until(async () => (await row(id)).started_at);
    const cancelling = call(one, key, 'POST', `/v1/tasks/${id}/cancel`);
    await until(async () => (await row(id)).cancel_requested_at);
    await expire(id);
    expect((await cancelling).body).toMatchObject({ status: 'cancelled', error: null });
    release.abort();
  });
});

describe('a server that shuts down', () => {
  it('gives back what has not started and does the rest to its end', async () => {
    const installation = await TaskInstallation.start();
    const executor = new ScriptedExecutor(answering('done', 1_000));
    const server = await installation.startProcess({ MAX_RUNS: '2' }, executor);
    const { key } = await installation.key(server, 'enterprise');
    for (let count = 0; count < 3; count += 1) {
      await call(server, key, 'POST', '/v1/tasks', { body: { description: 'x' } });
    }
    await until(async () => executor.working > 0);
    await server.stop();
    const { rows } = await installation.sql.query('SELECT status, worker FROM tasks ORDER BY id');
    expect(rows[0]).toEqual({ status: 'succeeded', worker: null });
    expect(rows.at(-1)).toEqual({ status: 'queued', worker: null });
    await installation.stop();
  });

  it('after 30 s cuts what has started, for good, and what has not, for another worker', async () => {
    const installation = await TaskInstallation.start();
    const executor = new ScriptedExecutor(async function* (spec, signal) {
      if (spec.prompt === 'starts') yield { type: 'started', model: spec.model };
      await waited(60_000, signal);
      yield ended({ status: 'cancelled', text: spec.prompt });
    });
    const server = await installation.startProcess({ MAX_RUNS: '4' }, executor);
    const { key } = await installation.key(server, 'enterprise');
    const submit = (description: string) =>
      call(server, key, 'POST', '/v1/tasks', { body: { description } }).then(({ body }) => body.id);
    const [id] = [await submit('starts'), await submit('does not')];
    await until(async () => executor.working === 2);
    const stream = fetch(`${server.url}/v1/tasks/${id}/events`, {
      headers: { authorization: `Bearer ${key}` },
    });
    await stream;
    await server.stop();
    const { rows } = await installation.sql.query(
      `SELECT status, error ->> 'code' AS code, result ->> 'output' AS output, worker FROM tasks ORDER BY id`,
    );
    expect(rows).toEqual([
      { status: 'failed', code: 'shutting_down', output: 'starts', worker: null },
      { status: 'queued', code: null, output: null, worker: null },
    ]);
    expect(await (await stream).text()).toContain('event: result');
    const open = await installation.sql.query('SELECT 1 FROM runs WHERE outcome IS NULL');
    expect(open.rows).toEqual([]);
    await installation.stop();
  }, 60_000);
});

describe('a database that is away while a task runs', () => {
  it('loses none of its events, and its end is written when it is back', async () => {
    const installation = await TaskInstallation.start();
    const way = await severableUrl(installation.database.url);
    const executor = new ScriptedExecutor();
    executor.script = async function* (spec, signal) {
      yield { type: 'started', model: spec.model };
      await waited(500, signal);
      way.sever();
      for (const content of ['a', 'b', 'c']) {
        yield { type: 'token', content };
        yield { type: 'retry', attempt: 1, upstreamStatus: 529 };
        await waited(300, signal);
      }
      setTimeout(way.mend, 2_500);
      yield ended({ status: 'succeeded', text: 'abc' });
    };
    const server = await installation.startProcess({}, executor, way.url);
    const { key } = await installation.key(server);
    const { body } = await call(server, key, 'POST', '/v1/tasks', { body: { description: 'x' } });
    const task = await until(async () => {
      const { rows } = await installation.sql.query('SELECT * FROM tasks WHERE finished_at IS NOT NULL');
      return rows[0];
    }, 20_000);
    expect(task).toMatchObject({ id: body.id, status: 'succeeded', attempt: 1, result: { output: 'abc' } });
    const { rows } = await installation.sql.query('SELECT type, data FROM task_events ORDER BY seq');
    const types = rows.map(({ type }) => type);
    expect(types).toEqual([
      'queued',
      'started',
      ...'token retry token retry token retry'.split(' '),
      'result',
    ]);
    await installation.stop();
    await way.close();
  }, 40_000);
});
