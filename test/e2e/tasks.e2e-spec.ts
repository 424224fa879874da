import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import pg from 'pg';
import { KeysService, operatorPrincipal } from '@app/auth';
import { sends, turns, uses } from '../support/scripted-turns.js';
import { eventsOf, startTestService, type TestService } from '../support/test-service.js';

const FILES = [
  { path: 'src/login.py', content: 'PASSWORD = "hunter2"\n' },
  { path: 'README.md', content: '# Sample\n' },
];

/** Everything that a task can do, once. */
const EVERYTHING = turns(
  [
    { thinking: 'Where to begin?', text: 'I look around.', ...uses('Grep', { pattern: 'PASSWORD' }) },
    uses('Read', { file_path: '/workspace/src/login.py' }),
    uses('Bash', { command: 'env; wc -l < src/login.py > lines.txt' }),
    sends('security-auditor'),
    uses('Skill', { skill: 'changelog', args: 'v2' }),
    uses('Write', { file_path: '/workspace/report.md', content: '# A password in the source\n' }),
    { text: 'There is a password in src/login.py.\n\nSee report.md for more.' },
  ],
  [uses('Read', { file_path: '/workspace/src/login.py' }), { text: 'It is bad.' }],
);

describe('agentic tasks, with the real CLI in its box', () => {
  let service: TestService;
  let database: pg.Client;

  beforeAll(async () => {
    const CLAUDE_CONFIG_DIR = resolve(__dirname, '../fixtures/claude-config');
    service = await startTestService({ CLAUDE_CONFIG_DIR, LOG_LEVEL: 'warn' });
    database = new pg.Client(service.databaseUrl);
    await database.connect();
  });
  beforeEach(() => service.model.reset());
  afterAll(async () => {
    await database.end();
    await service.stop();
  });

  const get = (path: string, key: string, headers = {}): Promise<any> =>
    fetch(service.url + path, { headers: { authorization: `Bearer ${key}`, ...headers } });
  const audited = async (type: string, project: string) =>
    (await database.query('SELECT * FROM audit_events WHERE type = $1 AND project = $2', [type, project]))
      .rows;

  it('greps, reads, runs Bash, writes, sends an agent and invokes a skill; every event, one artifact with its hash', async () => {
    service.model.script = EVERYTHING;
    const { key } = await service.key('enterprise', 'whole');
    const made = await service.post(
      '/v1/tasks',
      { description: 'Audit this project', files: FILES, model: 'sonnet', metadata: { ticket: 'A-1' } },
      key,
    );
    expect([made.status, made.body.status, made.body.object]).toEqual([202, 'queued', 'task']);
    const path = `/v1/tasks/${made.body.id}`;

    const stream = await get(`${path}/events`, key);
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    const events = eventsOf(await stream.text());
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(new Set(events.map(({ task_id: id }) => id))).toEqual(new Set([made.body.id]));
    const story = events.filter(({ type }) => !['usage', 'token', 'thinking'].includes(type));
    expect(story.map(({ type, tool, agent, skill }) => [type, tool ?? agent ?? skill])).toEqual([
      ['queued', undefined],
      ['started', undefined],
      ...[
        ['tool_call', 'Grep'],
        ['tool_result', 'Grep'],
        ['tool_call', 'Read'],
        ['tool_result', 'Read'],
      ],
      ...[
        ['tool_call', 'Bash'],
        ['tool_result', 'Bash'],
        ['agent_spawn', 'security-auditor'],
      ],
      ...[
        ['tool_call', 'Read'],
        ['tool_result', 'Read'],
        ['tool_result', 'Agent'],
      ],
      ...[
        ['skill_invoke', 'changelog'],
        ['tool_result', 'Skill'],
        ['tool_call', 'Write'],
        ['tool_result', 'Write'],
      ],
      ['result', undefined],
    ]);
    expect(story.filter(({ status }) => status === 'error')).toEqual([]);
    expect(
      events
        .filter(({ type }) => type === 'thinking')
        .map(({ content }) => content)
        .join(''),
    ).toBe('Where to begin?');

    const task = await (await get(path, key)).json();
    expect(task).toMatchObject({
      status: 'succeeded',
      model: 'claude-sonnet-5-5',
      result: {
        summary: 'There is a password in src/login.py.',
        output: expect.stringContaining('See report.md'),
      },
      error: null,
      denials: [],
      metadata: { ticket: 'A-1' },
      effective_policy: { network: 'none', filesystem: 'write', max_cost_usd: 10 },
    });
    expect(task.cost_usd).toBeGreaterThan(0);
    expect(task.execution_log.map(({ seq }: { seq: number }) => seq)).toEqual(
      events.filter(({ type }) => type !== 'token' && type !== 'thinking').map(({ seq }) => seq),
    );
    expect(task.artifacts.map(({ path: name }: { path: string }) => name).sort()).toEqual([
      'lines.txt',
      'report.md',
    ]);
    const report = task.artifacts.find(({ path: name }: { path: string }) => name === 'report.md');
    const content = Buffer.from(await (await get(report.url, key)).arrayBuffer());
    expect(content.toString()).toBe('# A password in the source\n');
    expect(report.sha256).toBe(createHash('sha256').update(content).digest('hex'));

    const other = await service.key('enterprise', 'somebody-else');
    for (const route of [path, `${path}/events`, `${path}/artifacts`, report.url]) {
      expect((await get(route, other.key)).status).toBe(404);
    }
    const calls = (await audited('tool.called', 'whole')).map(({ diff }) => diff.arguments).filter(Boolean);
    expect(calls).toContainEqual({ file_path: '/workspace/report.md', content: '(27 characters)' });
    expect(calls.length).toBeGreaterThanOrEqual(4);
  });

  it('lets the real credential come from the broker alone, and shows Bash no secret', async () => {
    service.model.script = turns([
      uses('Bash', { command: 'env; cat /proc/$PPID/environ; ls -la /' }),
      { text: 'ok' },
    ]);
    const { key } = await service.key('enterprise');
    const { body } = await service.post('/v1/task', { description: 'Print env', model: 'haiku' }, key);
    expect(body.status).toBe('succeeded');
    const output = body.execution_log.find(({ type }: { type: string }) => type === 'tool_result').result;
    expect(output).toContain('ANTHROPIC_API_KEY=run-');
    for (const secret of ['sk-ant-canary-credential', key, service.config.home, 'postgres']) {
      expect(output).not.toContain(secret);
    }
    const sent = service.model.journal.map(({ headers }) => headers['x-api-key']);
    expect(new Set(sent)).toEqual(new Set(['sk-ant-canary-credential']));
  });

  it('refuses a free key what it may not have, names every item and its rule, and starts nothing', async () => {
    const { key } = await service.key('free', 'frugal');
    const { status, body } = await service.post(
      '/v1/tasks',
      {
        description: 'Audit',
        allow_tools: ['Read', 'Bash', 'Write'],
        allow_agents: ['security-auditor'],
        allow_skills: ['changelog'],
        timeout_seconds: 300,
        max_cost_usd: 5,
      },
      key,
    );
    expect([status, body.error.type]).toEqual([403, 'permission_error']);
    expect(body.error.details.refusals.map(({ item, rule }: any) => [item, rule])).toEqual([
      ['tool:Bash', 'tier:free'],
      ['tool:Write', 'tier:free'],
      ['agent:security-auditor', 'tier:free'],
      ['skill:changelog', 'tier:free'],
      ['timeout_seconds', 'tier:free'],
      ['max_cost_usd', 'tier:free'],
    ]);
    expect((await (await get('/v1/tasks', key)).json()).data).toEqual([]);
    expect(await audited('run.refused', 'frugal')).toHaveLength(1);
  });

  it('works for a free key with plain defaults, read-only', async () => {
    service.model.script = turns([
      uses('Grep', { pattern: 'PASSWORD' }),
      uses('Bash', { command: 'touch /workspace/mine' }),
      uses('Write', { file_path: '/workspace/mine', content: 'x' }),
      { text: 'Found one.' },
    ]);
    const { key } = await service.key('free', 'thrifty');
    const { status, body } = await service.post('/v1/task', { description: 'Find it', files: FILES }, key);
    expect([status, body.status]).toEqual([200, 'succeeded']);
    expect(body.effective_policy).toMatchObject({
      ...{ tools: ['Read', 'Grep', 'Glob'], agents: [], skills: [], filesystem: 'read', timeout_seconds: 60 },
    });
    expect(body.denials.map(({ item, rule }: any) => [item, rule])).toEqual([
      ['tool:Bash', 'tier:free'],
      ['tool:Write', 'tier:free'],
    ]);
    expect(body.artifacts).toEqual([]);
    expect(await audited('tool.denied', 'thrifty')).toHaveLength(2);
  });

  it('denies the model an agent that is not granted, the built-in one, and what a skill would grant; and goes on', async () => {
    service.model.script = turns([
      sends('test-writer'),
      sends('general-purpose'),
      uses('Skill', { skill: 'grants-bash' }),
      uses('Bash', { command: 'touch /workspace/bashed' }),
      uses('Read', { file_path: '/workspace/README.md' }),
      { text: 'Went on.' },
    ]);
    const input = {
      project: 'granted',
      tier: 'enterprise',
      agents: ['security-auditor'],
      skills: ['grants-bash'],
    };
    const { key } = await service.app.get(KeysService).create(operatorPrincipal(), input);
    const ask = { description: 'Try', files: FILES, allow_tools: ['Read'] };
    const { body } = await service.post('/v1/task', ask, key);
    expect([body.status, body.result.output]).toEqual(['succeeded', 'Went on.']);
    expect(body.denials.map(({ item, rule }: any) => [item, rule])).toEqual([
      ['agent:test-writer', 'key'],
      ['agent:general-purpose', expect.any(String)],
      ['tool:Bash', 'request'],
    ]);
    const types = body.execution_log.map(({ type }: { type: string }) => type);
    expect(types.filter((type: string) => type === 'permission_denied')).toHaveLength(3);
    expect(await audited('tool.denied', 'granted')).toHaveLength(3);
    expect(body.artifacts).toEqual([]);
  });

  it('keeps a named workspace for the project, and for no other', async () => {
    service.model.script = turns([
      uses('Bash', { command: 'ls /workspace; echo more >> /workspace/log.txt' }),
      { text: 'ok' },
    ]);
    const { key } = await service.key('enterprise', 'keeper');
    const stranger = await service.key('enterprise', 'stranger');
    const ask = { description: 'Append', workspace: 'shared-name' };
    const listed = async (by: string) => {
      const { body } = await service.post('/v1/task', ask, by);
      expect(body.status).toBe('succeeded');
      return body.execution_log.find(({ type }: { type: string }) => type === 'tool_result').result;
    };
    expect(await listed(key)).not.toContain('log.txt');
    expect(await listed(key)).toContain('log.txt');
    expect(await listed(stranger.key)).not.toContain('log.txt');
  });

  it('gives structured output, and stops at max_turns with what it has', async () => {
    service.model.script = turns([uses('StructuredOutput', { passwords: 1 }), { text: 'One.' }]);
    const { key } = await service.key();
    const output_schema = {
      type: 'object',
      properties: { passwords: { type: 'integer' } },
      required: ['passwords'],
    };
    const structured = await service.post('/v1/task', { description: 'Count', output_schema }, key);
    expect(structured.body).toMatchObject({
      status: 'succeeded',
      result: { structured_output: { passwords: 1 } },
    });

    const schemaless = { description: 'Count', output_schema: { $ref: 'http://127.0.0.1:1/schema.json' } };
    expect((await service.post('/v1/task', schemaless, key)).body).toMatchObject({
      status: 'failed',
      error: {
        code: 'output_schema_failed',
        message: expect.stringMatching(/not a valid JSON Schema.*schema\.json/),
      },
    });

    service.model.script = () => ({ text: 'Again.', ...uses('Read', { file_path: '/workspace/README.md' }) });
    const ask = { description: 'Loop', files: FILES, max_turns: 2 };
    const { body } = await service.post('/v1/task', ask, key);
    expect(body).toMatchObject({
      status: 'failed',
      error: { code: 'max_turns' },
      result: { output: 'Again.' },
    });
  });

  it('ends by cancel and by deadline within 3 s, with everything that it started', async () => {
    service.model.script = turns([
      { text: 'Sleeping.', ...uses('Bash', { command: 'setsid sleep 300 & sleep 300' }) },
    ]);
    const { key } = await service.key();
    const made = await service.post('/v1/tasks', { description: 'Sleep' }, key);
    const path = `/v1/tasks/${made.body.id}`;
    for (;;) {
      const { execution_log: log } = await (await get(path, key)).json();
      if (log.some(({ type }: { type: string }) => type === 'tool_call')) break;
      await new Promise((done) => setTimeout(done, 50));
    }
    const startedAt = Date.now();
    const cancelled = await service.post(`${path}/cancel`, {}, key);
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled']);
    expect(Date.now() - startedAt).toBeLessThan(3_000);
    expect(cancelled.body.result.output).toBe('Sleeping.');
    expect((await service.post(`${path}/cancel`, {}, key)).status).toBe(409);

    const askedAt = Date.now();
    const late = await service.post('/v1/task', { description: 'Sleep', timeout: 6 }, key);
    expect(Date.now() - askedAt).toBeLessThan(6_000 + 3_000);
    expect(late.body).toMatchObject({ status: 'timed_out', result: { output: 'Sleeping.' } });
  });

  it('stops at its cost limit between two model calls', async () => {
    service.model.script = () => ({
      ...{ text: 'On and on.', inputTokens: 1_000, outputTokens: 3_000 },
      ...uses('Read', { file_path: '/workspace/README.md' }),
    });
    const { key } = await service.key();
    const ask = { description: 'Spend', files: FILES, model: 'haiku', max_cost: 0.08 };
    const { body } = await service.post('/v1/task', ask, key);
    expect([body.status, body.error.code]).toEqual(['budget_exceeded', 'budget_exceeded']);
    expect(body.cost_usd).toBeLessThanOrEqual(0.08);
    expect(service.model.journal.length).toBeGreaterThan(1);
  });
});
