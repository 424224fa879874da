import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { gone, type SeenProcess } from '../support/processes.js';
import { plays, uses } from '../support/scripted-turns.js';
import { boxOf, cliIn, TaskApi, until } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(90_000);

const MEBIBYTE = 1024 * 1024;
const bash = (command: string) => uses('Bash', { command });
const EATS = `python3 -c "held = []
while True: held.append(bytearray(b'x' * (8 << 20)))"`;

/** Rows of sandbox-security.md, section 5, as tasks meet them. */
describe('a task that comes to harm, or does it', () => {
  let service: TestService;
  let database: pg.Client;
  let api: TaskApi;
  let neighbour: TaskApi;

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '8' });
    database = new pg.Client(service.databaseUrl);
    await database.connect();
    api = new TaskApi(service.url, (await service.key('pro', 'harmful')).key);
    neighbour = new TaskApi(service.url, (await service.key('pro', 'peaceful')).key);
  });
  beforeEach(() => service.model.reset());
  afterAll(async () => {
    await database.end();
    await service.stop();
  });

  const runOf = async (id: string) =>
    (
      await database.query(
        `SELECT r.*, (SELECT count(*)::int FROM run_usage u WHERE u.run_id = r.id) AS usages
           FROM tasks t JOIN runs r ON r.id = t.run_id WHERE t.id = $1`,
        [id],
      )
    ).rows[0];
  const scratchOf = (id: string) => join(service.config.blobDir, 'scratch', `${id}.1`);
  const boxAtWork = async (id: string, calls = 1): Promise<SeenProcess[]> => {
    await api.atWork(id, calls);
    return boxOf((await runOf(id)).id);
  };
  const written = (id: string, name: string) =>
    until(
      'the tool has written',
      () => readdir(scratchOf(id)),
      (names) => names.includes(name),
    );
  const toolResults = (task: any) => task.execution_log.filter(({ type }: any) => type === 'tool_result');
  /** What holds after every fault: one end, told as it is stored, and nothing left of the run. */
  const settled = async (id: string, box: SeenProcess[]): Promise<any> => {
    const task = await api.ended(id);
    expect(await gone(box, 1_000)).toEqual([]);
    const events = await api.events(id);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ type }) => type === 'result')).toEqual([events.at(-1)]);
    expect(events.at(-1).status).toBe(task.status);
    expect((await runOf(id)).outcome).not.toBeNull();
    await until(
      'its folder is gone',
      async () => !(await readdir(join(service.config.blobDir, 'scratch'))).includes(`${id}.1`),
    );
    return task;
  };
  /** Beside another task, which is unharmed. */
  const besides = async (
    parts: Parameters<typeof plays>[0],
  ): Promise<{ id: string; peace: Promise<void> }> => {
    service.model.script = plays({
      ...parts,
      peace: [
        bash('for i in 1 2 3 4 5; do /bin/echo $i; sleep 0.2; done > /workspace/counted'),
        { text: 'Counted.' },
      ],
    });
    const [id, other] = [
      await api.submit({ description: 'harm: now' }),
      await neighbour.submit({ description: 'peace: now' }),
    ];
    const unharmed = async () => {
      const task = await neighbour.ended(other);
      const sizes = task.artifacts.map(({ size_bytes: size }: any) => size);
      expect([task.status, sizes]).toEqual(['succeeded', [10]]);
    };
    const peace = unharmed();
    return { id, peace };
  };

  it('6: its CLI is killed: cli_crashed, what was used is booked, what was said is kept', async () => {
    const { id, peace } = await besides({
      harm: [{ text: 'Half way.', ...bash('echo x > left; sleep 300') }],
    });
    const box = await boxAtWork(id);
    await written(id, 'left');
    process.kill(cliIn(box).pid, 'SIGKILL');
    const task = await settled(id, box);
    expect(task).toMatchObject({
      status: 'failed',
      error: { code: 'cli_crashed' },
      result: { output: 'Half way.' },
    });
    expect(task.cost_usd).toBeGreaterThan(0);
    expect(await runOf(id)).toMatchObject({ outcome: 'failed', error_code: 'cli_crashed', usages: 1 });
    expect(task.artifacts.map(({ path }: any) => path)).toEqual(['left']);
    await peace;
  });

  it('10: what it left running in sessions of its own ends with it, within a second', async () => {
    const { id, peace } = await besides({
      harm: [
        bash(
          `(setsid bash -c '(trap "" TERM HUP; exec sleep 501) &' &); (setsid nohup sleep 502 >/dev/null 2>&1 &); sleep 0.3`,
        ),
        bash('sleep 1'),
        { text: 'Left two behind.' },
      ],
    });
    const box = await boxAtWork(id, 2);
    expect(box.filter(({ command }) => /^sleep 50[12] /.test(command))).toHaveLength(2);
    expect((await settled(id, box)).status).toBe('succeeded');
    await peace;
  });

  it('11: a fork bomb stays in its box', async () => {
    const { id, peace } = await besides({
      harm: [bash('f() { f | f & }; f; sleep 3'), { text: 'Still here.' }],
    });
    const box = await boxAtWork(id);
    const answered = performance.now();
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
    expect(performance.now() - answered).toBeLessThan(5_000);
    const { status, error } = await settled(id, box);
    // The CLI lives on what the bomb leaves it: it may not.
    expect(['succeeded', 'failed', error?.code]).toEqual([
      'succeeded',
      'failed',
      status === 'failed' ? 'cli_crashed' : undefined,
    ]);
    await peace;
  });

  it('12: a memory bomb ends as out_of_memory', async () => {
    const { id, peace } = await besides({
      harm: [{ text: 'More.', ...bash(EATS) }, { text: 'Never said.' }],
    });
    const box = await boxAtWork(id);
    expect(await settled(id, box)).toMatchObject({
      ...{ status: 'failed', error: { code: 'out_of_memory' }, result: { output: 'More.' } },
    });
    await peace;
  });

  it('13: a flood of output is cut: the task goes on, nothing of it is stored whole', async () => {
    const { id, peace } = await besides({
      harm: [bash(`head -c 1G /dev/zero | tr '\\0' y`), { text: 'Wet.' }],
    });
    const before = process.memoryUsage().rss;
    const box = await boxAtWork(id);
    const task = await settled(id, box);
    expect([task.status, toolResults(task)[0].result.length < 64 * 1024]).toEqual(['succeeded', true]);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * MEBIBYTE);
    const { rows } = await database.query(
      'SELECT max(length(data::text)) AS longest FROM task_events WHERE task_id = $1',
      [id],
    );
    expect(rows[0].longest).toBeLessThan(64 * 1024);
    await peace;
  });

  it('15: a workspace that is filled ends the task as workspace_full; one file over the quota is the tool’s error', async () => {
    const { id, peace } = await besides({
      harm: [
        bash('head -c 101M /dev/zero > one; ls -l one'),
        bash('rm one; head -c 60M /dev/zero > a; head -c 60M /dev/zero > b; sleep 60'),
      ],
    });
    const box = await boxAtWork(id, 2);
    const task = await settled(id, box);
    expect(task).toMatchObject({ status: 'failed', error: { code: 'workspace_full' } });
    expect(toolResults(task)[0].result).toContain(' 100000000 ');
    await peace;
  });

  it('48: a workspace that is replaced by a link meanwhile: what the link leads to is neither read nor removed', async () => {
    const { id, peace } = await besides({ harm: [bash('echo mine > made; sleep 2'), { text: 'Done.' }] });
    const box = await boxAtWork(id);
    const theirs = join(service.config.home, 'theirs');
    await mkdir(theirs);
    await writeFile(join(theirs, 'secret'), 'of another');
    await written(id, 'made');
    await rename(scratchOf(id), `${scratchOf(id)}.away`);
    await symlink(theirs, scratchOf(id));
    const task = await settled(id, box);
    expect(task.artifacts.map(({ path }: any) => path)).toEqual(['made']);
    expect(await readdir(theirs)).toEqual(['secret']);
    await rm(`${scratchOf(id)}.away`, { recursive: true });
    await peace;
  });

  it('48: a workspace that is deleted meanwhile: the task ends cleanly, without files', async () => {
    const { id, peace } = await besides({ harm: [bash('echo mine > made; sleep 2; ls'), { text: 'Done.' }] });
    const box = await boxAtWork(id);
    await written(id, 'made');
    await rm(scratchOf(id), { recursive: true });
    const task = await settled(id, box);
    expect([task.status, task.artifacts]).toEqual(['succeeded', []]);
    await peace;
  });
});
