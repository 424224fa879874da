import { setTimeout as sleep } from 'node:timers/promises';
import { STREAM_LIMITS } from '../../apps/api/src/stream/stream-limits.js';
import { RawStream, textFrame } from '../support/raw-stream.js';
import { answering, ended, ScriptedExecutor } from '../support/scripted-executor.js';
import { severableUrl } from '../support/severable-url.js';
import { StreamClient } from '../support/stream-client.js';
import { call, TaskInstallation, type TaskProcess } from '../support/task-installation.js';
import { until } from '../support/task-api.js';

jest.setTimeout(60_000);

const MEBIBYTE = 1024 * 1024;
const LARGE_EVENTS = 2_500;
const LARGE_BYTES = 16_000;
const numbered = (events: any[]) => events.map((_, index) => index + 1);

/** Those who read tasks over sockets: very many, very slow, or while something below is away. */
describe('readers on sockets', () => {
  let installation: TaskInstallation;
  let executor: ScriptedExecutor;
  let server: TaskProcess;
  let way: Awaited<ReturnType<typeof severableUrl>>;
  let key: string;

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    way = await severableUrl(installation.database.url);
    executor = new ScriptedExecutor();
    server = await installation.startProcess({ MAX_RUNS: '20' }, executor, way.url);
    ({ key } = await installation.key(server));
  });
  beforeEach(() => (executor.script = answering('done')));
  afterEach(() => jest.restoreAllMocks());
  afterAll(async () => {
    await installation.stop();
    await way.close();
  });

  const shorten = (name: keyof typeof STREAM_LIMITS, to: number) =>
    jest.replaceProperty(STREAM_LIMITS, name, to);
  const submit = async () =>
    (await call(server, key, 'POST', '/v1/tasks', { body: { description: 'x', model: 'haiku' } })).body
      .id as string;
  const raw = () => RawStream.open(Number(new URL(server.url).port), key);

  /** A task that has ended, with a log of 40 MB. */
  async function largeLog(): Promise<{ id: string; events: number }> {
    const id = await submit();
    const task = await until(
      'it has ended',
      async () => (await call(server, key, 'GET', `/v1/tasks/${id}`)).body,
      ({ finished_at: at }) => at,
    );
    const last = task.execution_log.at(-1).seq;
    await installation.sql.query(
      `INSERT INTO task_events (task_id, seq, type, at, data)
       SELECT $1, $2 + i, 'token', now(), jsonb_build_object('content', repeat('x', $4::int)) FROM generate_series(1, $3::int) i`,
      [id, last, LARGE_EVENTS, LARGE_BYTES],
    );
    return { id, events: last + LARGE_EVENTS };
  }

  it('200 on 20 running tasks, of 20 keys: each is told all of it, in order', async () => {
    executor.script = async function* (spec, signal) {
      yield { type: 'started', model: spec.model };
      for (let word = 0; word < 100 && !signal.aborted; word += 1) {
        await sleep(10);
        yield { type: 'token', content: `${word} ` };
      }
      yield ended({ status: 'succeeded', text: 'all' });
    };
    const owners = await Promise.all(Array.from({ length: 20 }, () => installation.key(server)));
    const readers = await Promise.all(
      owners.flatMap((owner) => Array.from({ length: 10 }, () => StreamClient.open(server.url, owner.key))),
    );
    expect(readers).toHaveLength(200);
    const tasks = await Promise.all(
      owners.map(async (owner) => {
        const made = await call(server, owner.key, 'POST', '/v1/tasks', {
          body: { description: 'x', model: 'haiku' },
        });
        return made.body.id as string;
      }),
    );
    readers.forEach((reader, index) =>
      reader.send({ type: 'subscribe', id: 's', task_id: tasks[Math.floor(index / 10)] }),
    );
    const words = Array.from({ length: 100 }, (_, word) => `${word} `).join('');
    const heard = await Promise.all(readers.map((reader) => reader.ended('s')));
    for (const [index, events] of heard.entries()) {
      expect(events.map(({ seq }) => seq)).toEqual(numbered(events));
      const said = events.filter(({ type }) => type === 'token').map(({ content }) => content);
      expect([said.join(''), events.at(-1).status]).toEqual([words, 'succeeded']);
      expect(events).toEqual(heard[Math.floor(index / 10) * 10]);
    }
    for (const reader of readers) reader.close();
  });

  it('one that stops in the middle of a large replay is closed with 4430, and little is kept for it', async () => {
    const { id } = await largeLog();
    shorten('unreadForMs', 1_500);
    const stream = await raw();
    const rssBefore = process.memoryUsage().rss;
    stream.write(textFrame({ type: 'subscribe', id: 's', task_id: id }));
    await until('it is told', () => stream.told.length > 3);
    stream.wire.pause();
    const told = stream.frames.length;
    let most = 0;
    for (const end = Date.now() + 4_000; Date.now() < end; await sleep(100)) {
      most = Math.max(most, process.memoryUsage().rss - rssBefore);
    }
    expect(most).toBeLessThan(100 * MEBIBYTE);
    stream.wire.resume();
    expect(await stream.closeCode()).toBe(4430);
    expect(stream.frames.length).toBeGreaterThan(told);
    expect(stream.frames.length).toBeLessThan(LARGE_EVENTS);
    const { body } = await call(server, key, 'GET', `/v1/tasks/${id}`);
    expect(body.status).toBe('succeeded');
  });

  it('one that is slow but lives is told all of a large replay', async () => {
    const { id, events } = await largeLog();
    shorten('unreadForMs', 1_500);
    const stream = await raw();
    stream.write(textFrame({ type: 'subscribe', id: 's', task_id: id }));
    while (stream.frames.length <= events && !stream.isClosed) {
      stream.wire.pause();
      await sleep(60);
      stream.wire.resume();
      await sleep(15);
    }
    const told = stream.told.filter(({ seq }) => seq !== undefined);
    expect(told.map(({ seq }) => seq)).toEqual(Array.from({ length: events }, (_, at) => at + 1));
    stream.wire.destroy();
  });

  it('while the database is away: 503 under the id, never a closed socket; what is followed goes on when it is back', async () => {
    const client = await StreamClient.open(server.url, key);
    executor.script = answering('late', 3_000);
    client.send({ type: 'task', id: 't', description: 'x', model: 'haiku' });
    await client.until(({ type }) => type === 'started');
    way.sever();
    for (const [index, frame] of [
      { type: 'completion', prompt: 'x', model: 'haiku' },
      { type: 'task', description: 'x', model: 'haiku' },
      { type: 'subscribe', task_id: `task_${'0'.repeat(32)}` },
    ].entries()) {
      const [error] = await client.request({ ...frame, id: `r${index}` });
      expect(error).toMatchObject({ type: 'error', id: `r${index}`, error: { type: 'unavailable_error' } });
    }
    const stranger = await StreamClient.open(server.url);
    stranger.send({ type: 'auth', api_key: `${key.slice(0, -1)}x` });
    way.mend();
    expect((await client.ended('t')).at(-1)).toMatchObject({ type: 'result', status: 'succeeded' });
    expect(client.closed).toBeUndefined();
    client.close();
    stranger.close();
  });

  it('a shutdown waits for no reader: who follows a long task or a replay is gone within seconds', async () => {
    const other = await installation.startProcess({ ROLE: 'api' }, new ScriptedExecutor());
    executor.script = answering('late', 20_000);
    const id = await submit();
    const client = await StreamClient.open(other.url, key);
    const paused = await RawStream.open(Number(new URL(other.url).port), key);
    client.send({ type: 'subscribe', id: 's', task_id: id });
    await client.until(({ type }) => type === 'started');
    paused.write(textFrame({ type: 'subscribe', id: 's', task_id: await largeLogOf(id) }));
    await until('it is told', () => paused.told.length > 3);
    paused.wire.pause();
    const startedAt = Date.now();
    await other.stop();
    expect(Date.now() - startedAt).toBeLessThan(8_000);
    expect(await client.end()).toMatchObject({ code: 1001 });
    paused.wire.destroy();
    await call(server, key, 'POST', `/v1/tasks/${id}/cancel`, { body: {} });
  });

  /** Another task's, that has ended; the one given goes on. */
  async function largeLogOf(running: string): Promise<string> {
    const { rows } = await installation.sql.query(
      'SELECT task_id FROM task_events WHERE task_id <> $1 GROUP BY 1 HAVING count(*) > $2 LIMIT 1',
      [running, LARGE_EVENTS],
    );
    return rows[0].task_id;
  }
});
