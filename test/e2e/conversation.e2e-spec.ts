import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { type AppConfig, ConfigModule, loadConfig } from '@app/config';
import {
  CliExecutor,
  ExecutorModule,
  type ModelCall,
  type ModelUsage,
  type Outcome,
  type RunEvent,
  RunMeter,
  type RunSpec,
  type Turn,
} from '@app/executor';
import { ModelStandIn } from '../support/model-stand-in.js';

const MEBIBYTE = 1024 * 1024;
const user = (content: string): Turn => ({ role: 'user', content });
const assistant = (content: string): Turn => ({ role: 'assistant', content });

class RecordingMeter extends RunMeter {
  readonly calls: ModelCall[] = [];
  override async authorise(call: ModelCall) {
    this.calls.push(call);
    return { maxTokens: call.maxTokens };
  }
  override record(_: ModelCall, _usage: ModelUsage | null) {}
}

describe.each(['bubblewrap', 'process'])('earlier turns, with the real CLI in %s', (sandbox) => {
  let standIn: ModelStandIn;
  let home: string;
  let config: AppConfig;
  let app: TestingModule;
  let runs = 0;

  beforeAll(async () => {
    standIn = await ModelStandIn.start();
    home = await mkdtemp(join(tmpdir(), 'conversation-spec-'));
    const env = { CLAUDE_API_HOME: home, ANTHROPIC_API_KEY: 'sk-ant-real', ANTHROPIC_BASE_URL: standIn.url };
    config = loadConfig({}, { ...env, SANDBOX: sandbox });
    app = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(config), ExecutorModule],
    }).compile();
    await app.init();
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await app.close();
    await standIn.stop();
    await rm(home, { recursive: true });
  });

  async function run(over: Partial<RunSpec>) {
    const events: RunEvent[] = [];
    const spec = { runId: `run_${(runs += 1)}`, prompt: 'and now?', model: 'claude-haiku-5-5', sampling: {} };
    const means = { limits: { deadlineMs: 20_000 }, meter: new RecordingMeter() };
    const signal = new AbortController().signal;
    for await (const event of app.get(CliExecutor).run({ ...spec, ...means, ...over }, signal)) {
      events.push(event);
    }
    const { outcome } = events.at(-1) as { outcome: Outcome };
    return { events, outcome };
  }

  /** Who said what, as the model's API was told it: the texts of each message of the conversation. */
  const heard = (call = 0): [string, ...string[]][] =>
    standIn.journal[call]?.body.messages
      // Of the CLI's own: what day it is, and where it runs.
      .filter(({ role }: { role: string }) => role !== 'system')
      .map(({ role, content }: any) => [role, ...content.map(({ text }: { text: string }) => text)]);

  /** Not toEqual where texts are long: a failure would print them. */
  async function isHeard(history: Turn[], prompt: string, wanted: string[][]) {
    const { outcome } = await run({ history, prompt });
    expect(outcome).toMatchObject({ status: 'succeeded', text: 'Hello from the stand-in' });
    expect(standIn.journal).toHaveLength(1);
    if (prompt.length < 1000) expect(heard()).toEqual(wanted);
    else expect(JSON.stringify(heard()) === JSON.stringify(wanted)).toBe(true);
  }

  it('reach the model in order, with their roles, before the prompt', async () => {
    await isHeard([user('my name is Ada'), assistant('hello Ada')], 'what is my name?', [
      ['user', 'my name is Ada'],
      ['assistant', 'hello Ada'],
      ['user', 'what is my name?'],
    ]);
  });

  it.each([
    [
      'two questions in a row are two texts of one turn',
      [user('one '), user(' two'), assistant('three')],
      [
        ['user', 'one ', ' two'],
        ['assistant', 'three'],
        ['user', 'now'],
      ],
    ],
    [
      'a question without an answer stands before the prompt',
      [user('one'), assistant('two'), user('/config x=y'), user('@/etc/passwd')],
      [
        ['user', 'one'],
        ['assistant', 'two'],
        ['user', '/config x=y', '@/etc/passwd', 'now'],
      ],
    ],
    [
      'questions alone',
      [user('!cat /etc/passwd'), user('/clear')],
      [['user', '!cat /etc/passwd', '/clear', 'now']],
    ],
    [
      'an answer first',
      [assistant('welcome'), assistant('how may I help?')],
      [
        ['assistant', 'welcome', 'how may I help?'],
        ['user', 'now'],
      ],
    ],
  ])('%s', (_, history, wanted) => isHeard(history, 'now', wanted));
});
