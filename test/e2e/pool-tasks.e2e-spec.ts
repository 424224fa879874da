import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KeysService, operatorPrincipal } from '@app/auth';
import { OPERATOR_PROJECT } from '@app/common';
import { ProcessPool } from '../../libs/executor/src/pool/process-pool.js';
import type { ModelStandIn, UpstreamRequest } from '../support/model-stand-in.js';
import { cliProcesses, gone } from '../support/processes.js';
import { turns, uses } from '../support/scripted-turns.js';
import { TaskApi, until } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** Without what names the session. */
const asked = ({ body: { metadata: _, ...body } }: UpstreamRequest) => body;

describe('tasks from processes that wait, with the real CLI in its box', () => {
  let service: TestService;
  let api: TaskApi;

  beforeAll(async () => {
    service = await startTestService({ SANDBOX: 'bubblewrap', POOL: 'on' });
    api = new TaskApi(service.url, (await service.key('pro')).key);
  });
  beforeEach(() => service.model.reset());
  afterAll(() => service.stop());

  const pool = () => service.app.get(ProcessPool).state();
  const waiting = () =>
    pool().kinds.reduce((sum, { label, fresh }) => sum + (label.startsWith('task') ? fresh : 0), 0);
  const spareFolders = async () =>
    (await readdir(join(service.config.blobDir, 'scratch'))).filter((name) => name.startsWith('spare_'));

  async function run(task: Record<string, unknown> = {}) {
    const id = await api.submit(task);
    return until(
      'the task ended',
      () => api.show(id),
      ({ finished_at }) => finished_at !== null,
    );
  }
  const work = (model: ModelStandIn) => {
    model.script = turns([
      uses('Bash', { command: 'cat in.txt > out.txt; pwd >> out.txt' }),
      { text: 'done' },
    ]);
  };
  const files = [{ path: 'in.txt', content: 'from the caller\n' }];

  it('a second task finds a process, works in its own workspace, and is asked for as the first was', async () => {
    work(service.model);
    const first = await run({ files });
    expect(first).toMatchObject({ status: 'succeeded', timing: { warm: false } });
    await until('a process waits', waiting);
    expect(await spareFolders()).toHaveLength(waiting());
    const cold = service.model.journal.map(asked);
    service.model.reset();
    work(service.model);
    const second = await run({ files });
    expect(second).toMatchObject({ status: 'succeeded', timing: { warm: true } });
    const artifact = second.artifacts.find(({ path }: { path: string }) => path === 'out.txt');
    expect(second.artifacts).toHaveLength(1);
    const content = await fetch(new URL(artifact.url, service.url), {
      headers: { authorization: `Bearer ${api.key}` },
    });
    expect(await content.text()).toBe('from the caller\n/workspace\n');
    // The first call: later ones repeat what ls showed, with the times of the CLI's own.
    expect(asked(service.model.journal[0] as UpstreamRequest)).toEqual(cold[0]);
    expect(second.execution_log.map(({ type }: { type: string }) => type)).toEqual(
      first.execution_log.map(({ type }: { type: string }) => type),
    );
  });

  it('a task that is denied a tool is denied it in a process that waited, too', async () => {
    await until('a process waits', waiting);
    service.model.script = turns([uses('Bash', { command: 'id' }), { text: 'denied' }]);
    const { denials, timing } = await run({ allow_tools: ['Read'] });
    expect(timing.warm).toBe(false);
    expect(denials).toMatchObject([{ tool: 'Bash' }]);
  });

  it.each([
    ['a named workspace', { workspace: 'kept' }],
    ['an output schema', { output_schema: { type: 'object' } }],
    ['a limit of turns', { max_turns: 3 }],
  ])('a task with %s starts a process of its own', async (_, task) => {
    await until('a process waits', waiting);
    const { timing } = await run(task);
    expect(timing.warm).toBe(false);
  });

  it('a process that was killed while it waited is no task’s trouble', async () => {
    await until('a process waits', waiting);
    for (const { pid } of cliProcesses(process.pid)) process.kill(pid, 'SIGKILL');
    work(service.model);
    expect(await run({ files })).toMatchObject({ status: 'succeeded' });
  });

  it('the pool is shown to an administrator of the installation alone', async () => {
    const keys = service.app.get(KeysService);
    const made = await keys.create(operatorPrincipal(), { project: OPERATOR_PROJECT, admin: true });
    const other = await keys.create(operatorPrincipal(), { project: 'ops', admin: true });
    const show = (key: string) =>
      fetch(`${service.url}/v1/admin/pool`, { headers: { authorization: `Bearer ${key}` } });
    const answer = await show(made.key);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      ...{ enabled: true, kinds: expect.any(Array) },
      // One when the test before killed its process just as it was taken.
      rescued: expect.any(Number),
    });
    for (const key of [api.key, other.key]) expect((await show(key)).status).toBe(403);
  });

  it('a stop leaves no process that waits, and no folder of one', async () => {
    await until('a process waits', waiting);
    const processes = cliProcesses(process.pid);
    await service.app.get(ProcessPool).onApplicationShutdown();
    expect(await gone(processes, 5_000)).toEqual([]);
    expect(await spareFolders()).toEqual([]);
  });
});
