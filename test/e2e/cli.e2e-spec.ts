import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cleanEnvironment, runCli } from '../support/server-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const LAUNCHER = resolve(__dirname, '../../bin/claude-api.cjs');

/** One answer of the service, event by event; the last chunk is cut inside a line end. */
const STREAM = [
  'id: 1\nevent: started\ndata: {"type":"started","model":"claude-haiku-5-5"}\n\n: still here\n\n',
  'data: {"type":"token","content":"Grüße"}\n\ndata: {"type":"token","content":" from a stand-in"}\n',
  '\ndata: {"type":"done","model":"claude-haiku-5-5","usage":{"input_tokens":12,"output_tokens":7},"cost_usd":0.0000047,"timing":{"total_ms":940},"finish_reason":"stop","warnings":["demo answer"]}\n\n',
];

describe('claude-api, as its user runs it', () => {
  let home: string;
  let database: TestDatabase;
  let server: Server;
  let env: Record<string, string>;
  let respond: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  const cli = (...args: string[]) => runCli(env, args);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'cli-spec-'));
    database = await createTestDatabase();
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => (body += piece)).on('end', () => respond(request, response, body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    env = cleanEnvironment(home, {
      DATABASE_URL: database.url,
      CLAUDE_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      CLAUDE_API_KEY: 'cc_sk_mine',
    });
    await cli('--version'); // builds when the build is stale
  }, 180_000);
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await database.drop();
    await rm(home, { recursive: true, force: true });
  });

  it('leads a key through its life', async () => {
    const grants = [
      '--allow-agent',
      'a',
      'b',
      '--model',
      'haiku',
      '--rate-limit',
      '60',
      '--expires-in',
      '30d',
    ];
    const created = await cli(
      'keys',
      'create',
      '--project-id',
      'my-app',
      '--profile',
      'pro',
      '--json',
      ...grants,
    );
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const key = JSON.parse(created.stdout);
    expect(key).toMatchObject({
      project_id: 'my-app',
      tier: 'pro',
      allow_agents: ['a', 'b'],
      models: ['haiku'],
    });
    expect(Date.parse(key.expires_at) - Date.parse(key.created_at)).toBe(30 * 86_400_000);
    expect(key.key).toMatch(/^cc_sk_/);

    expect(await cli('keys', 'test', key.key)).toMatchObject({ code: 0, stderr: 'the key works\n' });
    const updated = await cli(
      'keys',
      'update',
      key.kid,
      '--model',
      'tier',
      '--expires-in',
      'never',
      '--json',
    );
    expect(JSON.parse(updated.stdout)).toMatchObject({
      models: null,
      expires_at: null,
      allow_agents: ['a', 'b'],
    });
    const rotated = await cli('keys', 'rotate', key.id, '--overlap', '0s');
    expect(rotated.stdout).toMatch(/^cc_sk_\w+\n$/);
    expect(await cli('keys', 'test', key.key)).toMatchObject({ code: 1, stdout: '' });
    expect((await cli('keys', 'revoke', key.id)).code).toBe(0);
    expect((await cli('keys', 'test', rotated.stdout.trim())).code).toBe(1);

    const listed = await cli('keys', 'list', '--project-id', 'my-app');
    expect(listed.stdout).toContain('revoked');
    expect(listed.stdout).not.toContain(key.key);
  });

  it('prints the secret alone on stdout, and makes administration keys', async () => {
    const { stdout, stderr } = await cli('keys', 'create', '--admin');
    expect(stdout).toMatch(/^cc_ak_\w+\n$/);
    expect(stderr).toContain('admin key of project operator');
  });

  it.each([
    ['an unknown option', ['keys', 'list', '--foo'], "unknown option '--foo'"],
    ['an unknown command', ['fly'], "unknown command 'fly'"],
    ['an unknown verb', ['keys', 'fly'], 'keys has no "fly"'],
    ['a missing verb', ['db'], 'db needs one of: status, migrate'],
    ['a missing argument', ['keys', 'show'], "missing required argument 'key'"],
    ['a word too much', ['complete', 'two', 'words'], 'too many arguments'],
    ['a bad number', ['complete', 'x', '--max-tokens', '1e3'], '--max-tokens must be a whole number'],
    ['a bad duration', ['keys', 'create', '--expires-in', '30'], '--expires-in must be a number and a unit'],
    ['a bad tier', ['keys', 'create', '--project-id', 'a', '--profile', 'gold'], 'tier must be one of free'],
    ['nobody to explain a policy for', ['policy', 'explain'], '--key or --tier is needed'],
    ['nothing to change', ['keys', 'update', 'key_1'], 'nothing to change'],
  ])('refuses %s with exit code 2 and one line', async (_, args, line) => {
    const { code, stdout, stderr } = await cli(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: .+\nrun "claude-api.* --help" for what it takes\n$/);
    expect(stderr).toContain(line);
  });

  it('prints a failure as one envelope with --json', async () => {
    const { code, stdout } = await cli('keys', 'show', 'key_none', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'error',
      error: { type: 'not_found_error', code: 'not_found' },
    });
  });

  it('explains what a task would get, and by which rule not', async () => {
    const folder = resolve(__dirname, '../fixtures/claude-config');
    const explain = (...args: string[]) =>
      runCli({ ...env, CLAUDE_CONFIG_DIR: folder }, ['policy', 'explain', ...args]);
    const project = ['--project-id', 'p', '--profile', 'pro', '--allow-agent', 'test-writer'];
    const created = await cli('keys', 'create', '--json', ...project);
    const { kid } = JSON.parse(created.stdout);
    const asked = ['--allow-tool', 'Read', 'Bash', '--allow-agent', 'test-writer'];
    const allowed = await explain('--key', kid, ...asked, '--json');
    expect({ ...allowed, stdout: JSON.parse(allowed.stdout) }).toMatchObject({
      code: 0,
      stderr: '',
      stdout: {
        allowed: true,
        effective_policy: { tools: ['Read', 'Bash'], agents: ['test-writer'] },
        refusals: [],
      },
    });
    const refused = await explain('--tier', 'free', '--allow-tool', 'Bash', '--allow-agent', 'none');
    expect(refused).toMatchObject({ code: 1, stderr: '' });
    expect(refused.stdout).toContain('refused by tier:free: the tier free does not allow the tool Bash');
    const misspelt = await explain('--tier', 'pro', '--allow-tool', 'bash', '--json');
    expect(misspelt.code).toBe(2);
    expect(JSON.parse(misspelt.stdout).error).toMatchObject({
      code: 'invalid_request',
      param: 'allow_tools.0',
    });
    expect(misspelt.stderr).toContain('did you mean Bash?');
  });

  it('knows tiers, settings and the schema without a server', async () => {
    expect((await cli('tiers', 'list')).stdout).toMatch(/enterprise +all/);
    expect(JSON.parse((await cli('tiers', 'show', 'free', '--json')).stdout)).toMatchObject({
      max_cost_usd: 0.1,
    });
    const settings = JSON.parse((await cli('config', 'show', '--json')).stdout).data;
    expect(settings).toContainEqual({ name: 'DATABASE_URL', value: '(set)', source: 'environment' });
    expect(JSON.parse((await cli('db', 'status', '--json')).stdout)).toMatchObject({
      database: 'external',
      pending: 0,
    });
    expect(await runCli({ ...env, PORT: 'x' }, ['config', 'validate'])).toMatchObject({
      code: 1,
      stdout: '',
    });
  });

  it('says what is wrong with the machine, and fails for it', async () => {
    const sick = {
      ...env,
      PORT: '0',
      ANTHROPIC_API_KEY: 'sk-ant-canary',
      CLAUDE_CLI_PATH: '/nowhere/claude',
      PRICES_FILE: '/nowhere/prices.json',
    };
    const { code, stdout } = await runCli(sick, ['doctor', '--json']);
    const found = Object.fromEntries(JSON.parse(stdout).checks.map((row: any) => [row.check, row]));
    expect(code).toBe(1);
    expect(found).toMatchObject({
      node: { status: 'ok' },
      home: { status: 'ok' },
      'claude cli': { status: 'fail', fix: expect.stringContaining('CLAUDE_CLI_PATH') },
      credential: { status: 'ok', detail: 'api_key' },
      prices: { status: 'fail', detail: expect.stringContaining('/nowhere/prices.json') },
      migrations: { status: 'ok' },
      clock: { status: 'ok' },
      audit: { status: 'warn', fix: expect.stringContaining('no superuser') },
    });
    expect(stdout).not.toContain('canary');
    const well = await runCli({ ...sick, CLAUDE_CLI_PATH: '', PRICES_FILE: '' }, ['doctor']);
    expect(well.stdout).toMatch(/ok +prices +claude-cli-/);
    expect(well.stdout).toMatch(/ok +claude cli +\d+\.\d+\.\d+/);
    expect(well.code).toBe(0);
  });

  it('streams an answer, and sends what was asked', async () => {
    let seen: { key?: string; body?: object } = {};
    respond = (request, response, body) => {
      seen = { key: request.headers.authorization, body: JSON.parse(body) };
      for (const piece of STREAM) response.write(piece);
      response.end();
    };
    const options = [
      '--model',
      'haiku',
      '--max-tokens',
      '9',
      '--stop',
      'A',
      '--stop',
      'B',
      '--temperature',
      '0.5',
    ];
    expect(await cli('complete', '--help me', ...options).then(({ code }) => code)).toBe(2);
    expect(await cli('complete', ...options, '--', '--help me')).toEqual({
      code: 0,
      stdout: 'Grüße from a stand-in\n',
      stderr: 'warning: demo answer\n',
    });
    expect(seen).toEqual({
      key: 'Bearer cc_sk_mine',
      body: {
        prompt: '--help me',
        model: 'haiku',
        max_tokens: 9,
        stop: ['A', 'B'],
        temperature: 0.5,
        stream: true,
      },
    });
  });

  it.each([
    ['refused', 402, 'budget_exceeded', 'no money left'],
    ['failed half-way', 200, 'cli_crashed', 'the CLI crashed'],
  ])('tells why a run was %s', async (_, status, code, message) => {
    respond = (_request, response) => {
      const error = { type: 'x', code, message, param: null, details: {} };
      response.statusCode = status;
      if (status === 200) response.write('data: {"type":"token","content":"Half"}\n\ndata: ');
      response.end(`${JSON.stringify({ type: 'error', error, request_id: 'req_1' })}\n\n`);
    };
    const stdout = status === 200 ? 'Half\n' : '';
    expect(await cli('complete', 'x')).toEqual({ code: 1, stdout, stderr: `error: ${message}\n` });
  });

  it('tells when the answer is cut, and when nobody answers', async () => {
    respond = (_request, response) => response.end('data: {"type":"token","content":"Half"}\n\n');
    expect(await cli('complete', 'x')).toMatchObject({ code: 1, stdout: expect.stringContaining('Half') });
    const nobody = await runCli({ ...env, CLAUDE_API_URL: 'http://127.0.0.1:1' }, ['health']);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('npm start') });
    const keyless = await runCli({ ...env, CLAUDE_API_KEY: '' }, ['complete', 'x']);
    expect(keyless).toMatchObject({ code: 1, stderr: expect.stringContaining('CLAUDE_API_KEY is not set') });
  });

  it('reads the prompt from stdin', async () => {
    let prompt = '';
    respond = (_request, response, body) => {
      prompt = JSON.parse(body).prompt;
      response.end(JSON.stringify({ object: 'text_completion', content: 'ok' }));
    };
    const child = spawn(process.execPath, [LAUNCHER, 'complete', '--json'], { env });
    child.stdin.end('line one\nline two: ü');
    const [stdout] = await Promise.all([outputOf(child), once(child, 'exit')]);
    expect(JSON.parse(stdout)).toEqual({ object: 'text_completion', content: 'ok' });
    expect(prompt).toBe('line one\nline two: ü');
  });

  it('ends the request on Ctrl-C, and exits with 130', async () => {
    const gone = new Promise<void>((closed) => {
      respond = (_request, response) => {
        response.write(STREAM[0]);
        response.write('data: {"type":"token","content":"Half"}\n\n');
        response.on('close', closed);
      };
    });
    const child = spawn(process.execPath, [LAUNCHER, 'complete', 'x'], { env });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const [[code]] = await Promise.all([once(child, 'exit'), gone]);
    expect(code).toBe(130);
  });

  it('says whether the server is ready', async () => {
    respond = (_request, response) => {
      response.statusCode = 503;
      response.end('{"status":"not_ready","checks":{"database":{"ok":false,"detail":"does not answer"}}}');
    };
    const { code, stdout } = await cli('health');
    expect(code).toBe(1);
    expect(stdout).toMatch(/database +failing: does not answer/);
  });
});

async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  for await (const piece of child.stdout!) output += piece;
  return output;
}
