import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { databaseUrlOf } from '../support/embedded-url.js';
import { ModelStandIn } from '../support/model-stand-in.js';
import { alive, gone, processes } from '../support/processes.js';
import { plays, uses } from '../support/scripted-turns.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { TaskApi, until } from '../support/task-api.js';

jest.setTimeout(90_000);

const bash = (command: string) => uses('Bash', { command });
const WORDS = 'word '.repeat(100);
/** Speaks for some 6 s, with a tool in the middle. */
const PARTS = {
  talk: [
    { text: WORDS, chunks: 100, chunkDelayMs: 30, ...bash('sleep 1; echo kept > kept.txt') },
    { text: WORDS, chunks: 100, chunkDelayMs: 20 },
  ],
  short: [{ text: 'Done.' }],
};

/** Rows of sandbox-security.md, section 5: an API and a worker on one home, with its own Postgres. */
describe('tasks whose database goes away, and what an earlier boot left', () => {
  const servers: ServerProcess[] = [];
  let model: ModelStandIn;
  let home: string;
  let blobs: string;
  let databaseUrl: string;
  let api: ServerProcess;
  let worker: ServerProcess;
  let user: TaskApi;
  /** How long a worker takes to start here that has nothing to clear. */
  let plainStartMs: number;

  beforeAll(async () => {
    model = await ModelStandIn.start();
    model.script = plays(PARTS);
    home = await ServerProcess.temporaryHome();
    blobs = await mkdtemp(join(tmpdir(), 'tasks-database-'));
    // The account of the boxes has to pass.
    await chmod(blobs, 0o711);
    api = await start({ ROLE: 'api' });
    const startedAt = Date.now();
    worker = await start({ ROLE: 'worker' });
    plainStartMs = Date.now() - startedAt;
    databaseUrl = await databaseUrlOf(api.env);
    user = new TaskApi(api.url, (await api.createKey()).key);
  });
  afterAll(async () => {
    await cleanUp(home, servers);
    await model.stop();
    await rm(blobs, { recursive: true, force: true });
  });

  async function start(env: Record<string, string>): Promise<ServerProcess> {
    const server = await ServerProcess.start(home, {
      ...{
        ANTHROPIC_API_KEY: 'sk-ant-test',
        ANTHROPIC_BASE_URL: model.url,
        BLOB_DIR: blobs,
        MAX_RUNS: '4',
      },
      ...env,
    });
    servers.push(server);
    return server;
  }
  async function rows<T extends object = any>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client(databaseUrl);
    await client.connect();
    try {
      return (await client.query<T>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }
  async function postmaster(): Promise<number> {
    const [{ data_directory: folder }] = (await rows('SHOW data_directory')) as [{ data_directory: string }];
    return Number((await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  }

  /** A reader from the beginning to the end, and the story that it must hear whatever happens on the way. */
  async function undisturbed(strike: (id: string) => Promise<void>): Promise<void> {
    const id = await user.submit({ description: 'talk: now' });
    const heard = user.events(id);
    await user.until(id, ({ started_at: at }) => at !== null);
    await until(
      'it speaks',
      () => rows('SELECT 1 FROM task_events WHERE task_id = $1', [id]),
      ({ length }) => length > 4,
    );
    await strike(id);
    const events = await heard;
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const story = events
      .filter(({ type }) => !['token', 'usage', 'retry'].includes(type))
      .map(({ type }) => type);
    expect(story).toEqual(['queued', 'started', 'tool_call', 'tool_result', 'result']);
    const said = events.filter(({ type }) => type === 'token').map(({ content }) => content);
    expect(said.join('')).toBe(WORDS + WORDS);
    const task = await user.show(id);
    expect([events.at(-1).status, task.status, task.artifacts.map(({ path }: any) => path)]).toEqual([
      'succeeded',
      'succeeded',
      ['kept.txt'],
    ]);
    const [stored] = await rows(
      'SELECT t.attempt, t.last_seq, r.outcome FROM tasks t JOIN runs r ON r.id = t.run_id WHERE t.id = $1',
      [id],
    );
    expect(stored).toEqual({ attempt: 1, last_seq: events.length, outcome: 'succeeded' });
  }

  it('27: the listeners’ connections are cut again and again: everything arrives', () =>
    undisturbed(async () => {
      for (let times = 0; times < 5; times += 1) {
        const cut = await rows(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'claude-api listener'`,
        );
        expect(cut).toHaveLength(2);
        await until(
          'they are back',
          async () =>
            (await rows(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'claude-api listener'`))
              .length === 2,
        );
      }
    }));

  it('18: Postgres is restarted in the middle of a task: it goes on, and its reader hears all of it', () =>
    undisturbed(async () => {
      const pid = await postmaster();
      process.kill(pid, 'SIGINT');
      await until('it has stopped', () => processes().every((each) => each.pid !== pid || each.zombie));
    }));

  it('19: Postgres is killed in the middle of a task: the same', () =>
    undisturbed(async () => {
      const pid = await postmaster();
      const backends = processes().filter(({ parent }) => parent === pid);
      process.kill(pid, 'SIGKILL');
      expect(await gone(backends, 10_000)).toEqual([]);
    }));

  it('49: a worker that starts again clears what its predecessor left: tasks, runs, folders, processes', async () => {
    const id = await user.submit({ description: 'short: now' });
    const { id: template } = await user.ended(id);
    worker.child.kill('SIGKILL');
    await worker.exited();
    const instance = `${(await readFile(join(home, 'data', 'instance-id'), 'utf8')).slice(0, 12)}-worker`;
    await rows(
      `INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, cost_kind)
       SELECT 'run_left' || i, project, key_id, 'task', 'claude-haiku-5-5', 0, $2, 'dead', now() + interval '1 minute', 'billed'
         FROM tasks, generate_series(1, 500) i WHERE id = $1`,
      [template, instance],
    );
    await rows(
      `INSERT INTO tasks (id, project, key_id, tier, status, description, model, effective_policy, attempt, worker,
                          lease_until, started_at, run_id, last_seq)
       SELECT 'task_' || lpad(to_hex(i), 32, '0'), project, key_id, tier, 'running', 'left', model, effective_policy, 1,
              'dead', now() - interval '1 second', now(), 'run_left' || i, 0
         FROM tasks, generate_series(1, 500) i WHERE id = $1`,
      [template],
    );
    for (let i = 1; i <= 500; i += 1) {
      const folder = join(blobs, 'scratch', `task_${i.toString(16).padStart(32, '0')}.1`);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'left'), 'x');
    }
    // As the killed worker would have left it: named by a process that is no more.
    const [owner] = await readdir(join(tmpdir(), `claude-api-${instance}`));
    const runFolder = join(tmpdir(), `claude-api-${instance}`, owner as string, 'run_left1');
    await mkdir(runFolder, { recursive: true });
    const left = Array.from({ length: 20 }, () =>
      spawn('sleep', ['600'], { cwd: runFolder, stdio: 'ignore' }),
    );
    const pids = new Set(left.map(({ pid }) => pid));
    const orphans = processes().filter(({ pid }) => pids.has(pid));
    expect(alive(orphans)).toHaveLength(20);

    const startedAt = Date.now();
    worker = await start({ ROLE: 'worker' });
    expect(await gone(orphans, 5_000)).toEqual([]);
    const open = async () =>
      (
        await rows(
          `SELECT (SELECT count(*)::int FROM tasks WHERE status = 'running') AS tasks, (SELECT count(*)::int FROM runs WHERE outcome IS NULL) AS runs`,
        )
      )[0];
    await until('all have ended', open, ({ tasks, runs }: any) => tasks + runs === 0, 150_000);
    // Of a process that only waited for a task an empty folder is left for an hour.
    await until(
      'the folders are gone',
      () => readdir(join(blobs, 'scratch')),
      (names) => names.every((name) => name.startsWith('spare_')),
    );
    // A plain start takes some 2 s on a machine that has time: a busy one is given as much more.
    expect(Date.now() - startedAt).toBeLessThan(Math.max(30_000, 15 * plainStartMs));
    expect(await readdir(join(tmpdir(), `claude-api-${instance}`))).not.toContain(owner);
    const ended = await rows(
      `SELECT t.status, t.error->>'code' AS code, r.error_code, count(*)::int, count(DISTINCT e.task_id)::int AS told
         FROM tasks t JOIN runs r ON r.id = t.run_id JOIN task_events e ON e.task_id = t.id AND e.type = 'result'
        WHERE t.description = 'left' GROUP BY 1, 2, 3`,
    );
    expect(ended).toEqual([
      { status: 'failed', code: 'worker_lost', error_code: 'server_lost', count: 500, told: 500 },
    ]);
    expect(worker.output).toContain('settled tasks of a lost worker');
    const next = await user.submit({ description: 'short: now' });
    expect((await user.ended(next)).status).toBe('succeeded');
  }, 240_000);
});
