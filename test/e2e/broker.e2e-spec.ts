import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestService, type TestService } from '../support/test-service.js';

/** What somebody inside the CLI's process sees: its environment, as the kernel has it. */
function cliEnvironment(
  instanceId: string,
): { pid: number; variables: Record<string, string>; command: string } | null {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const lines = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      const variables = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
      if (!variables.HOME?.includes(`claude-api-${instanceId}`)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return { pid: Number(name), variables, command };
    } catch {
      // Not ours, or gone.
    }
  }
  return null;
}

describe('the broker, seen from inside a run', () => {
  let service: TestService;
  let inside: NonNullable<ReturnType<typeof cliEnvironment>>;
  let run: Promise<unknown>;
  const PROMPT = 'a prompt that nobody else may see';

  beforeAll(async () => {
    service = await startTestService();
    const { key } = await service.key();
    service.model.script = (request) =>
      JSON.stringify(request.body).includes(PROMPT)
        ? { hang: true }
        : { text: 'bought with a run token', chunks: 1 };
    run = service.post('/v1/completions', { prompt: PROMPT, model: 'haiku', timeout_seconds: 6 }, key);
    for (let tries = 0; tries < 200 && service.model.journal.length === 0; tries += 1) await sleep(25);
    const found = cliEnvironment(service.config.instanceId);
    if (!found) throw new Error('no CLI process found');
    inside = found;
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
  ) =>
    fetch(`${inside.variables.ANTHROPIC_BASE_URL}${path}`, {
      method,
      headers: { 'content-type': 'application/json', 'x-api-key': token },
      ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
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
    expect(inside.variables.HOME).toContain('claude-api-');
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

  it('meters what the token buys, whoever uses it, and sends neither its headers nor its token on', async () => {
    const response = await call('/v1/messages', message({ stream: true }));
    expect(await response.text()).toContain('bought with a run token');
    const sent = service.model.journal.at(-1);
    expect(sent?.headers['x-api-key']).toBe('sk-ant-canary-credential');
    expect(JSON.stringify(sent?.headers)).not.toContain('run-');
    // The run had its one answer: there is no second one to be had.
    expect((await call('/v1/messages', message())).status).toBe(400);
  });

  it('401 once the run has ended', async () => {
    await run;
    expect((await call('/v1/messages', message())).status).toBe(401);
  });
});
