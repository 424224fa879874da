import { globSync, readFileSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { cliProcesses } from '../support/processes.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** What somebody inside the CLI's process sees: its environment, as the kernel has it. */
function seenInside(): { variables: Record<string, string>; command: string } | null {
  const [cli] = cliProcesses(process.pid);
  if (!cli) return null;
  const lines = readFileSync(`/proc/${cli.pid}/environ`, 'utf8').split('\0');
  const variables = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return { variables, command: cli.command };
}

describe.each(['process', 'bubblewrap'] as const)('the broker, seen from inside a %s run', (sandbox) => {
  let service: TestService;
  let inside: NonNullable<ReturnType<typeof seenInside>>;
  let socketPath: string | undefined;
  let run: Promise<unknown>;
  const PROMPT = 'a prompt that nobody else may see';

  beforeAll(async () => {
    service = await startTestService({ SANDBOX: sandbox });
    const { key } = await service.key();
    service.model.script = ({ body }) =>
      JSON.stringify(body).includes(PROMPT) ? { hang: true } : { text: 'bought with a run token', chunks: 1 };
    run = service.post('/v1/completions', { prompt: PROMPT, model: 'haiku', timeout_seconds: 6 }, key);
    for (let tries = 0; tries < 200 && service.model.journal.length === 0; tries += 1) await sleep(25);
    const found = seenInside();
    if (!found) throw new Error('no CLI process found');
    inside = found;
    // What a box sees as its loopback is this file outside.
    [socketPath] = globSync(join(tmpdir(), `claude-api-${service.config.instanceId}/*/run*/broker.sock`));
  });
  afterAll(async () => {
    await run;
    await service.stop();
  });

  const call = (
    path: string,
    body: object,
    token = inside.variables.ANTHROPIC_API_KEY ?? '',
    method = 'POST',
  ): Promise<{ status: number | undefined; body: string }> =>
    new Promise((done, fail) => {
      const headers = { 'content-type': 'application/json', 'x-api-key': token };
      const { port } = new URL(inside.variables.ANTHROPIC_BASE_URL ?? '');
      const where = socketPath ? { socketPath } : { port };
      request({ ...where, agent: false, path, method, headers })
        .on('response', async (answer) => done({ status: answer.statusCode, body: await text(answer) }))
        .on('error', fail)
        .end(method === 'POST' ? JSON.stringify(body) : undefined);
    });
  const message = (over = {}) => ({
    model: 'claude-haiku-5-5',
    max_tokens: 20,
    messages: [{ role: 'user', content: 'hi' }],
    ...over,
  });

  it('holds the run token and an allow-list of variables, nothing of ours and no credential', () => {
    expect(Object.keys(inside.variables).filter(Boolean).sort()).toEqual(
      expect.arrayContaining([
        'ANTHROPIC_API_KEY',
        'ANTHROPIC_BASE_URL',
        'CLAUDE_CONFIG_DIR',
        'HOME',
        'PATH',
      ]),
    );
    const environment = JSON.stringify(inside.variables);
    expect(environment).not.toContain('sk-ant-canary-credential');
    expect(environment).not.toContain(service.databaseUrl);
    expect(Object.keys(inside.variables)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(CLAUDE_API_|DATABASE_|KEY_|AUDIT_|JEST_|npm_)/)]),
    );
    expect(inside.variables.HOME).toMatch(sandbox === 'process' ? /\/claude-api-/ : /^\/home\/claude$/);
  });

  it('comes through a socket of its own when it is in a box', () => {
    expect(socketPath !== undefined).toBe(sandbox === 'bubblewrap');
  });

  it('shows no prompt, token or credential in the process list', () => {
    expect(inside.command).not.toContain(PROMPT);
    expect(inside.command).not.toContain('sk-ant');
    expect(inside.command).not.toContain(inside.variables.ANTHROPIC_API_KEY);
  });

  it.each([
    ['no token', ''],
    ['a made-up token', `run-${'A'.repeat(43)}`],
    ['the real credential', 'sk-ant-canary-credential'],
  ])('401 for %s', async (_, token) => {
    expect((await call('/v1/messages', message(), token)).status).toBe(401);
  });

  it.each([
    '/v1/models',
    '/v1/files',
    '/v1/messages/batches',
    '/v1/organizations/api_keys',
    '/v1/messages/../files',
  ])('404 for %s: only model calls pass', async (path) => {
    const before = service.model.journal.length;
    expect((await call(path, message())).status).toBe(404);
    expect((await call(path, {}, undefined, 'GET')).status).toBe(404);
    expect(service.model.journal).toHaveLength(before);
  });

  it.each([
    ['another model', { model: 'claude-opus-5-5' }],
    ['no model', { model: undefined }],
    ['no limit', { max_tokens: undefined }],
    ['a negative limit', { max_tokens: -1 }],
  ])('400 for %s, and nothing is bought', async (_, over) => {
    const before = service.model.journal.length;
    expect((await call('/v1/messages', message(over))).status).toBe(400);
    expect(service.model.journal).toHaveLength(before);
  });

  it('does not take the credential to where the model’s API redirects', async () => {
    const { script } = service.model;
    service.model.script = () => ({ status: 307 });
    const before = service.model.journal.length;
    expect((await call('/v1/messages', message())).status).toBe(502);
    service.model.script = script;
    expect(service.model.journal).toHaveLength(before + 1);
  });

  it('meters what the token buys, whoever uses it, and sends neither its headers nor its token on', async () => {
    const response = await call('/v1/messages', message({ stream: true }));
    expect(response.body).toContain('bought with a run token');
    const sent = service.model.journal.at(-1);
    expect(sent?.headers['x-api-key']).toBe('sk-ant-canary-credential');
    expect(JSON.stringify(sent?.headers)).not.toContain('run-');
    // The run had its one answer: there is no second one to be had.
    expect((await call('/v1/messages', message())).status).toBe(400);
  });

  it('answers nothing more once the run has ended', async () => {
    await run;
    if (sandbox === 'process') expect((await call('/v1/messages', message())).status).toBe(401);
    else await expect(call('/v1/messages', message())).rejects.toThrow('ENOENT');
  });

  it('listens on loopback only for runs that have no socket of their own', () => {
    const listening = /^ *\d+: 0100007F:[0-9A-F]{4} 00000000:0000 0A(?: +\S+){5} +(\d+)/gm;
    const sockets = [...readFileSync('/proc/self/net/tcp', 'utf8').matchAll(listening)].map(
      ([, inode]) => inode,
    );
    const open = globSync('/proc/self/fd/*').flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(fd))?.[1] ?? [];
      } catch {
        return [];
      }
    });
    // The service and the model's stand-in; and, without boxes, the broker.
    const ours = open.filter((inode) => sockets.includes(inode));
    expect(ours).toHaveLength(sandbox === 'process' ? 3 : 2);
  });
});
