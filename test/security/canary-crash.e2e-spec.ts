import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Canary, columnsWith, filesIn, namesIn } from '../support/canary.js';
import { ModelStandIn } from '../support/model-stand-in.js';
import { uses } from '../support/scripted-turns.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { severableUrl } from '../support/severable-url.js';
import { TaskApi, until } from '../support/task-api.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

jest.setTimeout(180_000);

const SECRETS = ['credential', 'pepper', 'auditKey'].map((name) => new Canary(name));
const SAID = ['prompt', 'description', 'file'].map((name) => new Canary(name));
const [credential, pepper, auditKey] = SECRETS as [Canary, Canary, Canary];
const [prompt, description, file] = SAID as [Canary, Canary, Canary];

/** A whole server with everything logged: its database goes away in a run, then it is killed in one, and starts again. */
describe('canaries in a server whose database is lost, and that is killed', () => {
  const servers: ServerProcess[] = [];
  let database: TestDatabase;
  let way: Awaited<ReturnType<typeof severableUrl>>;
  let model: ModelStandIn;
  let sql: pg.Client;
  let home: string;
  let key: string;
  let issued: Canary;
  let task: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    way = await severableUrl(database.url);
    model = await ModelStandIn.start();
    sql = new pg.Client(database.url);
    await sql.connect();
    home = await ServerProcess.temporaryHome();
    await start();
    ({ key } = await servers[0]!.createKey('enterprise', 'canary-app'));
    issued = new Canary('issued', key.slice(19));
  });
  afterAll(async () => {
    await cleanUp(home, servers);
    await sql.end();
    await way.close();
    await model.stop();
    await database.drop();
  });

  async function start(): Promise<ServerProcess> {
    const env = {
      ...{ LOG_LEVEL: 'trace', DATABASE_URL: way.url, ANTHROPIC_BASE_URL: model.url },
      ...{ ANTHROPIC_API_KEY: credential.text, KEY_PEPPER: pepper.text, AUDIT_KEY: auditKey.text },
    };
    const server = await ServerProcess.start(home, env);
    servers.push(server);
    return server;
  }
  const complete = async (over: object = {}) => {
    const response = await fetch(`${servers.at(-1)!.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prompt: prompt.text, system: prompt.text, model: 'haiku', ...over }),
    });
    return `${response.status} ${await response.text()}`;
  };
  const asked = (calls: number) => until('the model is asked', () => model.journal.length >= calls);
  const said = () => servers.map(({ output }) => output).join('\n');
  const open = async (table: string) =>
    (await sql.query(`SELECT 1 FROM ${table} WHERE ${table === 'runs' ? 'ended_at' : 'finished_at'} IS NULL`))
      .rowCount;

  it('503 when the database goes away before and in a run, whose end is written when it is back', async () => {
    model.script = () => ({ text: 'word '.repeat(40), chunks: 40, chunkDelayMs: 100 });
    const running = complete();
    await asked(1);
    way.sever();
    await until('it is refused', complete, (answer) => answer.startsWith('503 '));
    expect(await running).toMatch(/^200 /);
    way.mend();
    await until(
      'its end is written',
      () => open('runs'),
      (left) => left === 0,
    );
  });

  it('a kill of the server in a completion and in a task, and its next start', async () => {
    model.reset();
    model.script = ({ body }) =>
      JSON.stringify(body.messages).includes(description.text)
        ? uses('Bash', { command: 'sleep 900' })
        : { hang: true };
    const cut = complete().catch(() => 'cut');
    const api = new TaskApi(servers[0]!.url, key);
    const files = [{ path: 'in.txt', content: file.text }];
    task = await api.submit({ description: description.text, files });
    await api.atWork(task);
    await asked(2);
    servers[0]!.child.kill('SIGKILL');
    expect(await cut).toBe('cut');
    await servers[0]!.exited();
    await start();
    await until(
      'all runs have ended',
      () => open('runs'),
      (left) => left === 0,
    );
    await until(
      'the task has ended',
      () => open('tasks'),
      (left) => left === 0,
    );
    expect((await complete({ max_cost_usd: 0.0000001 })).slice(0, 4)).toBe('402 ');
    expect(await servers[1]!.stop()).toBe(0);
  });

  it('leave no secret in what both servers printed, and nothing that was said', () => {
    expect(said().split('\n').length).toBeGreaterThan(20);
    const lines = (canaries: Canary[]) =>
      said()
        .split('\n')
        .filter((line) => namesIn(line, canaries).length > 0);
    expect(lines([...SECRETS, issued, ...SAID])).toEqual([]);
    // The first start shows the first key of administration, once.
    expect(said().match(/cc_ak_\w{12}_\w{40,}/g)).toHaveLength(1);
  });

  it('leave in the database only what belongs to the task', async () => {
    expect(await columnsWith(sql, [...SECRETS, issued, ...SAID])).toEqual({
      ...{ credential: [], pepper: [], auditKey: [], issued: [], prompt: [], file: [] },
      description: ['tasks.description'],
    });
  });

  it('leave on the disk nothing of it: no box, no workspace, no secret', async () => {
    const data = join(home, 'data');
    const [instance] = (await filesIn(data)).filter(({ path }) => path.endsWith('instance-id'));
    const name = instance!.text.split('\n')[1]!.slice(0, 12);
    const boxes = readdirSync(tmpdir()).filter((entry) => entry.includes(name));
    const places = [
      home,
      `/var/lib/claude-api/blobs-${name}`,
      ...boxes.map((entry) => join(tmpdir(), entry)),
    ];
    const files = (await Promise.all(places.map(filesIn))).flat();
    const canaries = [...SECRETS, issued, ...SAID];
    expect(files.length).toBeGreaterThan(2);
    expect(files.filter(({ text }) => namesIn(text, canaries).length > 0).map(({ path }) => path)).toEqual(
      [],
    );
  });
});
