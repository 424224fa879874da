import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelStandIn } from '../support/model-stand-in.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { call, until } from '../support/task-installation.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** An API and its workers as processes of their own, with the real CLI: one worker is lost, another one stays. */
describe('a worker that is lost in the middle of a task', () => {
  let database: TestDatabase;
  let model: ModelStandIn;
  let blobs: string;
  const processes: ServerProcess[] = [];
  let api: ServerProcess;
  let key: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    model = await ModelStandIn.start();
    // Silence: the task has started and is not ended.
    model.script = () => ({ hang: true });
    blobs = await mkdtemp(join(tmpdir(), 'worker-lost-'));
    // Boxes run as another account.
    await chmod(blobs, 0o755);
    api = await ServerProcess.start(await ServerProcess.temporaryHome(), env('api'));
    processes.push(api);
    ({ key } = await api.createKey());
  }, 120_000);
  afterAll(async () => {
    for (const each of processes) {
      each.child.kill('SIGCONT');
      each.child.kill('SIGKILL');
      await cleanUp(each.home, [each]);
    }
    await model.stop();
    await database.drop();
    await rm(blobs, { recursive: true, force: true });
  }, 60_000);

  const env = (role: string) => ({
    ROLE: role,
    DATABASE_URL: database.url,
    BLOB_DIR: blobs,
    KEY_PEPPER: 'a pepper that all processes of a test share',
    AUDIT_KEY: 'an audit key that all processes of a test share',
    ANTHROPIC_API_KEY: 'sk-ant-canary-credential',
    ANTHROPIC_BASE_URL: model.url,
    MAX_RUNS: '1',
  });

  async function worker(): Promise<ServerProcess> {
    const started = await ServerProcess.spawn(await ServerProcess.temporaryHome(), env('worker'));
    processes.push(started);
    await until(async () => {
      if (started.exitCode !== undefined) throw new Error(started.output);
      return started.output.includes('a worker');
    }, 60_000);
    return started;
  }

  async function startedTask(): Promise<string> {
    const { body } = await call(api, key, 'POST', '/v1/tasks', { body: { description: 'x' } });
    await until(async () => (await task(body.id)).started_at, 20_000);
    return body.id;
  }
  const task = async (id: string) => (await call(api, key, 'GET', `/v1/tasks/${id}`)).body;
  const events = async (id: string) => {
    const headers = { accept: 'application/json' };
    return (await call(api, key, 'GET', `/v1/tasks/${id}/events?limit=200`, { headers })).body.data;
  };

  it('a killed one’s task is worker_lost within 20 s', async () => {
    const lost = await worker();
    const id = await startedTask();
    await worker();
    lost.child.kill('SIGKILL');
    const since = performance.now();
    const ended = await until(async () => {
      const found = await task(id);
      return found.finished_at && found;
    }, 30_000);
    expect(performance.now() - since).toBeLessThan(20_000);
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'worker_lost', type: 'upstream_error' } });
    expect((await events(id)).filter(({ type }: any) => type === 'result')).toHaveLength(1);
  }, 120_000);

  it('one that was stopped for 30 s writes nothing when it wakes', async () => {
    // The task goes to the one worker that is left; another one comes when it is there.
    const stopped = processes.at(-1)!;
    const id = await startedTask();
    await worker();
    stopped.child.kill('SIGSTOP');
    const ended = await until(async () => {
      const found = await task(id);
      return found.finished_at && found;
    }, 30_000);
    expect(ended.error.code).toBe('worker_lost');
    const before = await events(id);
    await sleep(12_000);
    stopped.child.kill('SIGCONT');
    await sleep(5_000);
    expect(await events(id)).toEqual(before);
    expect(await task(id)).toEqual(ended);
    // It is a good worker again.
    model.script = () => ({ text: 'done' });
    const { body } = await call(api, key, 'POST', '/v1/task', { body: { description: 'x' } });
    expect(body).toMatchObject({ status: 'succeeded', result: { output: 'done' } });
  }, 150_000);
});
