import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Bootstrap } from '@app/auth';
import { Broker } from '../../libs/executor/src/broker/broker.js';
import { Canary, columnsWith, filesIn, namesIn } from '../support/canary.js';
import { cliProcesses } from '../support/processes.js';
import { turns, uses } from '../support/scripted-turns.js';
import { StreamClient } from '../support/stream-client.js';
import { until } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(180_000);

const SECRETS = ['credential', 'pepper', 'auditKey'].map((name) => new Canary(name));
const [credential, pepper, auditKey] = SECRETS as [Canary, Canary, Canary];
/** What a caller says and hears, by the part that it plays. */
const SAID = Object.fromEntries(
  [
    ...['prompt', 'system', 'turn', 'answer', 'thought', 'keptAnswer', 'metadata', 'stray'],
    ...['description', 'context', 'append', 'file', 'argument', 'printed', 'written', 'path', 'result'],
    ...['echoed', 'taskEchoed'],
  ].map((name) => [name, new Canary(name)]),
) as Record<string, Canary>;
const say = (name: string) => SAID[name]!.text;

/**
 * The list of docs/guides/security-best-practices.md, "What is stored", as columns. `tool_calls` of the audit are
 * the beginnings of arguments, never what a file holds.
 */
const STORED: Record<string, string[]> = {
  prompt: [],
  system: [],
  turn: [],
  answer: [],
  stray: [],
  echoed: [],
  keptAnswer: ['idempotency_keys.answer'],
  metadata: ['idempotency_keys.answer', 'runs.metadata', 'tasks.metadata'],
  description: ['tasks.description'],
  context: ['task_inputs.input'],
  append: ['task_inputs.input'],
  file: ['task_inputs.input'],
  argument: ['audit_events.diff', 'task_events.data'],
  printed: ['task_events.data'],
  thought: ['task_events.data'],
  written: ['task_events.data'],
  path: [...['audit_events.diff', 'task_artifacts.path', 'task_events.data']],
  result: ['task_events.data', 'tasks.result'],
  taskEchoed: ['task_events.data', 'tasks.error'],
};

const PARAMS: Record<string, string> = { path: '/', key: '', id: '', project: 'canary-app', tier: 'pro' };
const TASK_TURNS = [
  {
    thinking: say('thought'),
    chunks: 1,
    text: 'Now.',
    ...uses('Bash', {
      command: `echo ${say('argument')} > /dev/null; echo ${say('printed').slice(0, 9)}""${say('printed').slice(9)}`,
    }),
  },
  uses('Write', { file_path: `/workspace/${say('path')}.txt`, content: say('written') }),
  { text: say('result'), chunks: 1 },
];

interface Ask {
  as?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Everything that is said to one service, and everything that it says: to callers, to its log, to its database. */
describe('canaries in every route, error and crash', () => {
  let service: TestService;
  let sql: pg.Client;
  let log = '';
  let user: string;
  let admin: string;
  let revoked: string;
  let task: any;
  let operations: { method: string; path: string }[];
  const answers: string[] = [];
  const succeeded = new Set<string>();
  const refusals = new Set<number>();
  const columns: Record<string, Set<string>> = {};

  beforeAll(async () => {
    service = await startTestService(
      {
        LOG_LEVEL: 'trace',
        FAILED_KEYS_PER_MINUTE: '10000',
        UNAUTHENTICATED_PER_MINUTE: '10000',
        ANTHROPIC_API_KEY: credential.text,
        KEY_PEPPER: pepper.text,
        AUDIT_KEY: auditKey.text,
      },
      { logSink: { write: (line) => void (log += line) } },
    );
    sql = new pg.Client(service.databaseUrl);
    await sql.connect();
    watchTokens();
    admin = issued((await service.app.get(Bootstrap).ensureAdmin())!.key);
    const document = await ask('GET', '/openapi.json');
    operations = Object.entries(document.body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
    );
  });
  afterEach(() => remember());
  afterAll(async () => {
    await sql.end();
    await service.stop();
  });

  function watchTokens(): void {
    const broker = service.app.get(Broker, { strict: false });
    const open = broker.open.bind(broker);
    jest.spyOn(broker, 'open').mockImplementation(async (...args) => {
      const binding = await open(...args);
      SECRETS.push(new Canary('runToken', binding.token));
      return binding;
    });
  }
  /** The secret part: what stands before it may be shown. */
  function issued(key: string): string {
    SECRETS.push(new Canary(`secret of ${key.slice(0, 18)}`, key.slice(19)));
    return key;
  }
  async function remember(): Promise<void> {
    for (const [name, places] of Object.entries(await columnsWith(sql, [...SECRETS, ...Object.values(SAID)])))
      for (const place of places) (columns[name] ??= new Set()).add(place);
  }
  async function ask(method: string, path: string, { as, body, headers, signal }: Ask = {}) {
    const response = await fetch(service.url + path, {
      method,
      headers: {
        ...(as ? { authorization: `Bearer ${as}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || typeof body === 'string' ? (body as string) : JSON.stringify(body),
      signal,
    });
    const text = await response.text();
    const isJson = /^application\/json\b/.test(response.headers.get('content-type') ?? '');
    const json = isJson ? JSON.parse(text) : null;
    // The one answer that shows a key, once.
    const key = response.ok && typeof json?.key === 'string' ? issued(json.key) : '';
    answers.push(JSON.stringify([...response.headers]) + text.replace(key, ''));
    if (response.ok) succeeded.add(operationOf(method, path));
    else refusals.add(response.status);
    return { status: response.status, body: json, text };
  }
  function operationOf(method: string, path: string): string {
    const bare = path.split('?')[0]!;
    const fits = (template: string) =>
      new RegExp(
        `^${template
          .replaceAll('.', '\\.')
          .replaceAll(/\{path\}/g, '.+')
          .replaceAll(/\{\w+\}/g, '[^/]+')}$`,
      ).test(bare);
    const templates = (operations ?? []).filter((one) => one.method === method && fits(one.path));
    // Whole words before templates: `artifacts.zip` is no `{path}`.
    const [best] = templates.sort((a, b) => a.path.split('{').length - b.path.split('{').length);
    return `${method} ${best?.path ?? bare}`;
  }
  const filled = (path: string, params: Record<string, string>) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? say('stray'));
  const complete = (over: object = {}, more: Ask = {}) =>
    ask('POST', '/v1/completions', {
      as: user,
      body: { prompt: say('prompt'), system: say('system'), model: 'haiku', ...over },
      ...more,
    });
  const ordered = (over: object = {}) => ({
    ...{ description: say('description'), context: say('context'), system_prompt_append: say('append') },
    ...{ files: [{ path: 'in.txt', content: say('file') }], metadata: { about: say('metadata') } },
    ...{ model: 'haiku', ...over },
  });
  const linesWith = (canaries: Canary[]) =>
    log.split('\n').filter((line) => namesIn(line, canaries).length > 0);
  const openRuns = async () =>
    (await sql.query('SELECT count(*)::int AS open FROM runs WHERE outcome IS NULL')).rows[0].open as number;
  const inRun = () => until('the model is asked', () => service.model.journal.length > 0);
  const settled = () => until('no run is open', openRuns, (open) => open === 0);

  it('administration: keys, budgets, tiers and projects are made, shown, changed and removed', async () => {
    const make = async (body: object) =>
      (await ask('POST', '/v1/admin/keys', { as: admin, body })).body as { id: string; key: string };
    const made = await make({ project_id: 'canary-app', tier: 'enterprise' });
    user = made.key;
    const doomed = await make({ project_id: 'canary-app', tier: 'pro' });
    const key = `/v1/admin/keys/${doomed.id}`;
    await ask('PATCH', key, { as: admin, body: { name: 'renamed' } });
    await ask('POST', `${key}/rotate`, { as: admin, body: {} });
    expect((await ask('POST', `${key}/revoke`, { as: admin, body: {} })).status).toBe(200);
    revoked = doomed.key;
    const body = { project_id: 'canary-app', limit_usd: 100, period: 'month' };
    const budget = await ask('POST', '/v1/admin/budgets', { as: admin, body });
    const path = `/v1/admin/budgets/${budget.body.id}`;
    await ask('PATCH', path, { as: admin, body: { limit_usd: 90 } });
    await ask('POST', `${path}/grants`, { as: admin, body: { amount: 5, reason: 'a test' } });
    await ask('GET', path, { as: admin });
    await ask('DELETE', path, { as: admin });
    await ask('PUT', '/v1/admin/tiers/canary', { as: admin, body: { from: 'pro', concurrent_runs: 2 } });
    await ask('DELETE', '/v1/admin/tiers/canary', { as: admin });
    await ask('POST', '/v1/admin/tiers/pro/reset', { as: admin });
    await ask('POST', '/v1/admin/projects', { as: admin, body: { project_id: 'other-app' } });
    for (const turn of ['disable', 'enable'])
      await ask('POST', `/v1/admin/projects/other-app/${turn}`, { as: admin });
    await ask('POST', '/v1/admin/audit/verify', { as: admin, body: {} });
    await ask('POST', '/v1/admin/policy/explain', { as: admin, body: { tier: 'pro' } });
    Object.assign(PARAMS, { key: made.id });
  });

  it('completions: JSON, a stream, a repeated one, and both kinds over a socket', async () => {
    service.model.script = () => ({ thinking: say('answer'), text: say('answer'), chunks: 1 });
    expect((await complete()).text).toContain(say('answer'));
    expect((await complete({ stream: true })).text).toContain(say('answer'));
    const socket = await StreamClient.open(service.url, user);
    await socket.request({ id: 'a', type: 'completion', prompt: say('prompt'), model: 'haiku' });
    const messages = ['user', 'assistant', 'user'].map((role) => ({ role, content: say('turn') }));
    await socket.request({ id: 'b', type: 'chat', messages, model: 'haiku' });
    await socket.request({
      id: 'c',
      type: 'completion',
      prompt: say('prompt'),
      [say('stray')]: say('stray'),
    });
    socket.close();
    answers.push(JSON.stringify(socket.frames));
    expect(JSON.stringify([socket.of('a'), socket.of('b')]).split(say('answer')).length).toBeGreaterThan(2);
    service.model.script = () => ({ text: say('keptAnswer'), chunks: 1 });
    const keep = { headers: { 'idempotency-key': 'kept' } };
    for (const status of [200, 200]) {
      expect((await complete({ metadata: { about: say('metadata') } }, keep)).status).toBe(status);
    }
  });

  it('tasks: waited for, followed, over a socket, with their files, and cancelled', async () => {
    service.model.script = turns(TASK_TURNS);
    const kept = { as: user, body: ordered(), headers: { 'idempotency-key': 'kept-task' } };
    task = (await ask('POST', '/v1/task', kept)).body;
    expect([task.status, task.result.output, task.artifacts.length]).toEqual(['succeeded', say('result'), 1]);
    const socket = await StreamClient.open(service.url, user);
    await socket.request({ id: 't', type: 'task', ...ordered() });
    socket.close();
    answers.push(JSON.stringify(socket.frames));
    Object.assign(PARAMS, { id: task.id, path: `${say('path')}.txt` });
    service.model.reset();
    service.model.script = () => ({ hang: true });
    const { body } = await ask('POST', '/v1/tasks', { as: user, body: ordered({ workspace: 'stays' }) });
    await inRun();
    // Its input is there as long as it has not ended.
    await remember();
    expect((await ask('POST', `/v1/tasks/${body.id}/cancel`, { as: user, body: {} })).status).toBe(200);
    await settled();
  });

  it('every route that reads, and every route with what does not belong there, from callers of every kind', async () => {
    for (const { method, path } of operations) {
      if (method === 'GET') for (const as of [user, admin]) await ask(method, filled(path, PARAMS), { as });
      const madeUp = issued(`cc_sk_${'A'.repeat(12)}_${'b'.repeat(24)}${new Canary('x').text.slice(-25)}`);
      for (const as of [undefined, madeUp, revoked, user, admin]) {
        const address = `${filled(path, {})}?api_key=${user}&stray=${say('stray')}`;
        const headers = { 'x-stray': say('stray') };
        if (method === 'GET') await ask(method, address, { as, headers });
        else
          for (const body of [{ stray: say('stray') }, `{"stray": "${say('stray')}`])
            await ask(method, address, { as, headers, body });
      }
    }
    for (const path of ['/metrics', '/docs', `/v1/${say('stray')}`]) await ask('GET', path, { as: admin });
    const missed = operations
      .map(({ method, path }) => `${method} ${path}`)
      .filter((one) => !succeeded.has(one));
    expect(missed).toEqual([]);
  });

  it('refusals: each by what was wrong with a request', async () => {
    const free = (await ask('POST', '/v1/admin/keys', {
      ...{ as: admin, body: { project_id: 'canary-app', tier: 'free', requests_per_minute: 1 } },
    })) as { body: { key: string } };
    service.model.reset();
    const status = async (asked: Promise<{ status: number }>) => (await asked).status;
    expect(await status(complete({ max_cost_usd: 0.0000001 }))).toBe(402);
    expect(
      await status(ask('POST', '/v1/tasks', { as: free.body.key, body: ordered({ allow_tools: ['Bash'] }) })),
    ).toBe(403);
    expect(await status(ask('PUT', '/v1/completions', { as: user, body: { prompt: say('prompt') } }))).toBe(
      405,
    );
    expect(await status(complete({ prompt: say('prompt').repeat(300_000) }))).toBe(413);
    expect(await status(complete({}, { headers: { 'content-type': 'text/plain' } }))).toBe(415);
    expect(
      await status(
        complete({ prompt: `${say('prompt')} other` }, { headers: { 'idempotency-key': 'kept' } }),
      ),
    ).toBe(422);
    expect(await status(ask('POST', `/v1/tasks/${task.id}/cancel`, { as: user, body: {} }))).toBe(409);
    await StreamClient.refused(service.url, `/v1/streams?api_key=${user}&stray=${say('stray')}`);
    const stranger = await StreamClient.open(service.url);
    stranger.send({
      type: 'auth',
      api_key: issued(`cc_sk_${'B'.repeat(12)}_${new Canary('stranger').text}`),
    });
    await stranger.end();
    answers.push(JSON.stringify(stranger.frames));
    const asked = [1, 2, 3].map(() => complete({ system: undefined }, { as: free.body.key }));
    expect(await Promise.all(asked.map(status))).toContain(429);
  });

  it('a model’s API that fails and repeats what it was told, credential and all', async () => {
    for (const [status, expected] of [
      [400, 400],
      [401, 503],
      [500, 502],
      [529, 503],
    ]) {
      const message = `${status}: you sent ${credential.text} and ${say('echoed')} and ${say('taskEchoed')}`;
      service.model.script = () => ({ status, message });
      expect((await complete({ prompt: say('echoed') })).status).toBe(expected);
      expect((await complete({ prompt: say('echoed'), stream: true })).text).not.toContain(credential.text);
    }
    const message = `what is ${say('taskEchoed')}?`;
    service.model.script = () => ({ status: 400, message });
    const { body } = await ask('POST', '/v1/task', {
      as: user,
      body: { description: 'fail', model: 'haiku' },
    });
    expect(body.status).toBe('failed');
    service.model.script = () => ({
      text: `${say('answer')} ${say('answer')}`,
      chunks: 2,
      cutAfterChunks: 1,
    });
    await complete({ stream: true });
    await complete();
  });

  it('a caller that goes away, a deadline, and a CLI that is killed', async () => {
    service.model.reset();
    service.model.script = () => ({ hang: true });
    expect((await complete({ timeout_seconds: 1 })).status).toBe(504);
    service.model.journal.length = 0;
    const gone = new AbortController();
    const given = complete({}, { signal: gone.signal }).catch(() => 'given up');
    await inRun();
    gone.abort();
    await given;
    await settled();
    for (const path of ['/v1/completions', '/v1/task']) {
      service.model.journal.length = 0;
      const isTask = path === '/v1/task';
      const body = isTask ? ordered() : { prompt: say('prompt'), model: 'haiku', timeout_seconds: 8 };
      const crashed = ask('POST', path, { as: user, body });
      await inRun();
      for (const { pid } of cliProcesses(process.pid)) process.kill(pid, 'SIGKILL');
      const { status, body: said } = await crashed;
      // The answer to a prompt is bought, and would come from the broker: it is awaited.
      expect([status, said.error.code]).toEqual(isTask ? [200, 'cli_crashed'] : [504, 'deadline_exceeded']);
    }
    await settled();
  });

  it('every kind of refusal was there', () => {
    expect([...refusals].sort()).toEqual(
      expect.arrayContaining([400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429, 502, 503, 504]),
    );
    expect(SECRETS.filter(({ name }) => name === 'runToken').length).toBeGreaterThan(10);
  });

  it('no key, pepper or credential is in any answer, in the log or in the database', () => {
    expect(log.split('\n').length).toBeGreaterThan(300);
    expect(namesIn(answers.join('\n'), SECRETS)).toEqual([]);
    expect(linesWith(SECRETS)).toEqual([]);
    expect(SECRETS.filter(({ name }) => columns[name]?.size)).toEqual([]);
  });

  it('nothing that was said to the model or by it is in the log', () => {
    expect(linesWith(Object.values(SAID))).toEqual([]);
  });

  it('what was said is stored where the documents say so, and nowhere else in the database', () => {
    const found = Object.keys(SAID).map((name) => [name, [...(columns[name] ?? [])].sort()]);
    expect(Object.fromEntries(found)).toEqual(STORED);
  });

  it('the input of a task is gone when it has ended', async () => {
    await until(
      'all have ended',
      async () => (await sql.query('SELECT 1 FROM tasks WHERE finished_at IS NULL')).rowCount === 0,
    );
    expect((await sql.query('SELECT 1 FROM task_inputs')).rows).toEqual([]);
  });

  it('on the disk are the named workspace and artifacts, and no secret; runs left nothing', async () => {
    const { home, blobDir, instanceId } = service.config;
    const kept = (await Promise.all([filesIn(home), filesIn(blobDir)])).flat();
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.filter(({ text }) => namesIn(text, SECRETS).length > 0).map(({ path }) => path)).toEqual([]);
    const said = new Set(kept.flatMap(({ text }) => namesIn(text, Object.values(SAID))));
    expect([...said].sort()).toEqual(['file', 'written']);
    const boxes = readdirSync(tmpdir()).filter((name) => name.startsWith(`claude-api-${instanceId}`));
    const left = (await Promise.all(boxes.map((name) => filesIn(join(tmpdir(), name))))).flat();
    const canaries = [...SECRETS, ...Object.values(SAID)];
    expect(left.filter(({ text }) => namesIn(text, canaries).length > 0).map(({ path }) => path)).toEqual([]);
    expect(existsSync(home)).toBe(true);
  });
});
