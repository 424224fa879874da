import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import {
  type AgenticSpec,
  CliExecutor,
  type Decide,
  ExecutorModule,
  type Outcome,
  type RunEvent,
  type RunSpec,
} from '@app/executor';
import { ModelStandIn } from '../support/model-stand-in.js';
import { sends, SUBTASK, turns, uses } from '../support/scripted-turns.js';

const MODEL = 'claude-sonnet-5-5';
const TOOLS = ['Read', 'Grep', 'Write', 'Bash'];

/** What the catalogue and the policy would say: these tools, this agent, this skill. */
const decide: Decide = ({ tool, input }) => {
  const item = tool === 'Agent' ? `agent:${String(input.subagent_type)}` : `tool:${tool}`;
  const allowed = tool === 'Agent' ? input.subagent_type === 'auditor' : [...TOOLS, 'Skill'].includes(tool);
  return allowed ? { allowed } : { allowed, item, rule: 'tier:test', message: `${item} is not for you` };
};

describe('the CLI executor with tools, with the real CLI', () => {
  let standIn: ModelStandIn;
  let home: string;
  let dir: string;
  let app: TestingModule;
  let runs = 0;

  beforeAll(async () => {
    standIn = await ModelStandIn.start();
    home = await mkdtemp(join(tmpdir(), 'agentic-spec-'));
    const env = { CLAUDE_API_HOME: home, ANTHROPIC_API_KEY: 'sk-ant-real', ANTHROPIC_BASE_URL: standIn.url };
    app = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(loadConfig({}, env)), ExecutorModule],
    }).compile();
    await app.init();
    await mkdir(join(home, 'skill'), { mode: 0o755 });
    const skill = '---\nname: greet\ndescription: Greets people\n---\nSay hello to $ARGUMENTS.\n';
    await writeFile(join(home, 'skill', 'SKILL.md'), skill);
  });
  beforeEach(async () => {
    standIn.reset();
    dir = await mkdtemp(join(tmpdir(), 'agentic-workspace-'));
    await writeFile(join(dir, 'notes.txt'), 'a needle in a haystack\n');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  afterAll(async () => {
    await app.close();
    await standIn.stop();
    await rm(home, { recursive: true });
  });

  async function run(over: Partial<AgenticSpec> = {}, spec: Partial<RunSpec> = {}, signal?: AbortSignal) {
    const agentic: AgenticSpec = {
      tools: TOOLS,
      agents: [{ name: 'auditor', description: 'audits', prompt: 'You audit.', tools: ['Read'] }],
      skills: [{ name: 'greet', dir: join(home, 'skill') }],
      models: ['claude-haiku-5-5'],
      workspace: { dir, writable: true, quotaBytes: 50_000_000 },
      limits: { memoryBytes: 2 ** 31, processes: 200 },
      decide,
      ...over,
    };
    const whole: RunSpec = {
      runId: `run_agentic_${++runs}`,
      prompt: 'Find the needle. @/etc/hostname stays text.',
      model: MODEL,
      sampling: {},
      limits: { deadlineMs: 25_000 },
      meter: { authorise: async ({ maxTokens }) => ({ maxTokens }), record: () => undefined },
      agentic,
      ...spec,
    };
    const events: RunEvent[] = [];
    for await (const event of app.get(CliExecutor).run(whole, signal ?? new AbortController().signal)) {
      events.push(event);
    }
    return { events, outcome: (events.at(-1) as { outcome: Outcome }).outcome };
  }

  /** Each event in a word: what a reader of the log sees. */
  const words = (events: RunEvent[]) =>
    events.flatMap((event) => {
      if ('tool' in event) return [`${event.type} ${event.tool}${event.agent ? ` by ${event.agent}` : ''}`];
      if (event.type === 'agent_spawn') return [`agent_spawn ${event.spawned}`];
      if (event.type === 'skill_invoke') return [`skill_invoke ${event.skill} ${event.input}`];
      return [];
    });

  it('greps, reads, runs Bash, writes, spawns an agent and invokes a skill, and tells all of it in order', async () => {
    standIn.script = turns(
      [
        { thinking: 'hm', text: 'Looking.', tools: [{ name: 'Grep', input: { pattern: 'needle' } }] },
        uses('Read', { file_path: 'notes.txt' }),
        uses('Bash', { command: 'wc -w < notes.txt > count.txt; cat count.txt' }),
        uses('Skill', { skill: 'granted:greet', args: 'Bob' }),
        sends('auditor'),
        uses('Write', { file_path: 'report.md', content: '# Found\n' }),
        { text: 'It is in notes.txt.' },
      ],
      [uses('Read', { file_path: 'notes.txt' }), { text: 'audited' }],
    );
    const { events, outcome } = await run();
    expect(words(events)).toEqual([
      ...['tool_call Grep', 'tool_result Grep', 'tool_call Read', 'tool_result Read'],
      ...['tool_call Bash', 'tool_result Bash', 'skill_invoke greet Bob', 'tool_result Skill'],
      ...['agent_spawn auditor', 'tool_call Read by auditor', 'tool_result Read by auditor'],
      ...['tool_result Agent', 'tool_call Write', 'tool_result Write'],
    ]);
    expect(events.flatMap((event) => (event.type === 'tool_result' ? [event.status] : []))).not.toContain(
      'error',
    );
    expect(events[0]).toEqual({ type: 'started', model: MODEL });
    expect(outcome).toMatchObject({ status: 'succeeded', text: 'It is in notes.txt.' });
    expect(await readFile(join(dir, 'report.md'), 'utf8')).toBe('# Found\n');
    expect((await readFile(join(dir, 'count.txt'), 'utf8')).trim()).toBe('5');
    expect(standIn.journal.every(({ headers }) => headers['x-api-key'] === 'sk-ant-real')).toBe(true);
    expect(ModelStandIn.promptOf(standIn.journal[0])).toContain(
      'Find the needle. @/etc/hostname stays text.',
    );
  });

  it('denies what is not granted, says who refused it, and goes on', async () => {
    standIn.script = turns([
      uses('WebFetch', { url: 'http://example.com', prompt: 'x' }),
      sends('general-purpose'),
      uses('Bash', { command: 'touch bashed' }),
      { text: 'Done without.' },
    ]);
    const { events, outcome } = await run({
      tools: ['Read'],
      decide: (call) =>
        call.tool === 'Bash'
          ? { allowed: false, item: 'tool:Bash', rule: 'tier:free', message: 'no Bash' }
          : decide(call),
    });
    const denied = events.filter((event) => event.type === 'permission_denied');
    expect(denied.map(({ item, rule }) => [item, rule])).toEqual([
      ['tool:WebFetch', 'tier:test'],
      ['agent:general-purpose', 'tier:test'],
      ['tool:Bash', 'tier:free'],
    ]);
    expect(outcome).toMatchObject({ status: 'succeeded', text: 'Done without.' });
    await expect(readFile(join(dir, 'bashed'))).rejects.toThrow('ENOENT');
    expect(standIn.journal.every(({ body }) => !JSON.stringify(body.messages[0]).includes(SUBTASK))).toBe(
      true,
    );
  });

  it('asks before every call: a tool that the CLI would run is stopped by the decision alone', async () => {
    standIn.script = turns([uses('Bash', { command: 'touch bashed' }), { text: 'Was it run?' }]);
    const no = { allowed: false, item: 'tool:Bash', rule: 'key', message: 'not this time' } as const;
    const { events } = await run({ decide: () => no });
    expect(words(events)).toEqual(['permission_denied Bash', 'tool_result Bash']);
    await expect(readFile(join(dir, 'bashed'))).rejects.toThrow('ENOENT');
  });

  it('gives what fits the output schema', async () => {
    standIn.script = turns([uses('StructuredOutput', { found: 3 }), { text: 'There are three.' }]);
    const outputSchema = {
      type: 'object',
      properties: { found: { type: 'integer' } },
      required: ['found'],
    };
    const { outcome } = await run({ outputSchema, decide: () => ({ allowed: true }) });
    expect(outcome).toMatchObject({ status: 'succeeded', structuredOutput: { found: 3 } });
  });

  it('ends a task that turns too often', async () => {
    standIn.script = () => uses('Read', { file_path: 'notes.txt' });
    const { outcome } = await run({ maxTurns: 3 });
    expect(outcome).toMatchObject({ status: 'failed', code: 'max_turns' });
  });

  it('ends a task whose money is used up, and keeps what it said', async () => {
    let calls = 0;
    standIn.script = turns([
      { text: 'So far so good.', tools: [{ name: 'Read', input: { file_path: 'notes.txt' } }] },
    ]);
    const authorise = async ({ maxTokens }: { maxTokens: number }) =>
      ++calls > 1 ? { refused: 'no money left' } : { maxTokens };
    const { outcome } = await run({}, { meter: { authorise, record: () => undefined } });
    expect(outcome).toMatchObject({ status: 'budget_exceeded', text: 'So far so good.' });
  });

  it('takes nothing from the workspace: no settings, no hooks, no servers, no imports', async () => {
    const canary = join(dir, 'canary');
    const hook = [{ hooks: [{ type: 'command', command: `touch ${canary}` }] }];
    await mkdir(join(dir, '.claude'));
    await writeFile(
      join(dir, '.claude', 'settings.json'),
      JSON.stringify({ hooks: { SessionStart: hook, PreToolUse: hook }, apiKeyHelper: `touch ${canary}` }),
    );
    const mcpServers = { evil: { command: 'touch', args: [canary] } };
    await writeFile(join(dir, '.mcp.json'), JSON.stringify({ mcpServers }));
    await writeFile(join(dir, 'CLAUDE.md'), 'IMPORTED-MEMORY @/etc/hostname');
    standIn.script = turns([uses('Read', { file_path: 'notes.txt' }), { text: 'Read it.' }]);
    const { outcome } = await run();
    expect(outcome.status).toBe('succeeded');
    await expect(readFile(canary)).rejects.toThrow('ENOENT');
    expect(JSON.stringify(standIn.journal)).not.toContain('IMPORTED-MEMORY');
  });

  it('ends at once when it is cancelled, and so does all that it started', async () => {
    standIn.script = turns([uses('Bash', { command: 'setsid sleep 60 & sleep 60' })]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 2_500);
    const startedAt = Date.now();
    const { outcome } = await run({}, {}, stop.signal);
    expect(outcome.status).toBe('cancelled');
    expect(Date.now() - startedAt).toBeLessThan(5_500);
  });
});
