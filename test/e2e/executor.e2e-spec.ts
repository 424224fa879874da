import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig, type AppConfig } from '@app/config';
import {
  CliExecutor,
  CredentialHealth,
  ExecutorModule,
  type ModelCall,
  type ModelUsage,
  type Outcome,
  type RunEvent,
  RunMeter,
  type RunSpec,
} from '@app/executor';
import { ModelStandIn } from '../support/model-stand-in.js';

class RecordingMeter extends RunMeter {
  readonly recorded: (ModelUsage | null)[] = [];
  constructor(private readonly verdict: (call: ModelCall) => { maxTokens: number } | { refused: string }) {
    super();
  }
  override async authorise(call: ModelCall) {
    return this.verdict(call);
  }
  override record(_: ModelCall, usage: ModelUsage | null) {
    this.recorded.push(usage);
  }
}
const allowAll = () => new RecordingMeter(({ maxTokens }) => ({ maxTokens }));

describe('the CLI executor, with the real CLI', () => {
  let standIn: ModelStandIn;
  let home: string;
  let config: AppConfig;
  let app: TestingModule;
  let executor: CliExecutor;
  let runs = 0;

  beforeAll(async () => {
    standIn = await ModelStandIn.start();
    home = await mkdtemp(join(tmpdir(), 'executor-spec-'));
    config = loadConfig(
      {},
      { CLAUDE_API_HOME: home, ANTHROPIC_API_KEY: 'sk-ant-real', ANTHROPIC_BASE_URL: standIn.url },
    );
    app = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(config), ExecutorModule],
    }).compile();
    await app.init();
    executor = app.get(CliExecutor);
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await app.close();
    await standIn.stop();
    await rm(home, { recursive: true });
  });

  const spec = (over: Partial<RunSpec> = {}): RunSpec => ({
    runId: `run_${(runs += 1)}`,
    prompt: 'say hello',
    model: 'claude-haiku-5-5',
    sampling: {},
    limits: { deadlineMs: 20_000 },
    meter: allowAll(),
    ...over,
  });
  async function run(over: Partial<RunSpec> = {}, signal = new AbortController().signal) {
    const events: RunEvent[] = [];
    for await (const event of executor.run(spec(over), signal)) events.push(event);
    const last = events.at(-1);
    expect(last?.type).toBe('ended');
    expect(events.filter(({ type }) => type === 'ended')).toHaveLength(1);
    return { events, outcome: (last as { outcome: Outcome }).outcome };
  }
  const foldersLeft = async () => {
    const owners = await readdir(join(tmpdir(), `claude-api-${config.instanceId}`));
    const left = await readdir(join(tmpdir(), `claude-api-${config.instanceId}`, owners[0] ?? ''));
    return left.filter((name) => name.startsWith('run_'));
  };

  it('streams the answer token by token and meters it', async () => {
    const meter = allowAll();
    const { events, outcome } = await run({ meter });
    expect(outcome).toMatchObject({
      status: 'succeeded',
      finishReason: 'stop',
      text: 'Hello from the stand-in',
    });
    expect(events.map(({ type }) => type)).toEqual(['started', 'token', 'token', 'token', 'usage', 'ended']);
    expect(meter.recorded).toMatchObject([{ inputTokens: 12, outputTokens: 7 }]);
    expect(await foldersLeft()).toEqual([]);
  });

  it('swaps the run token for the real credential and tells the model nothing else', async () => {
    await run();
    expect(standIn.journal).toHaveLength(1);
    expect(standIn.journal[0]?.headers['x-api-key']).toBe('sk-ant-real');
    expect(JSON.stringify(standIn.journal[0]?.body)).not.toContain(home);
  });

  it('sets max_tokens, stop_sequences and temperature upstream, and drops thinking beside them', async () => {
    const { outcome } = await run({ sampling: { maxTokens: 50, stop: ['END'], temperature: 0.2 } });
    expect(outcome.status).toBe('succeeded');
    const body = standIn.journal[0]?.body;
    expect(body).toMatchObject({ max_tokens: 50, stop_sequences: ['END'], temperature: 0.2 });
    expect(body).not.toHaveProperty('thinking');
    expect(JSON.stringify(body)).not.toContain('clear_thinking');
  });

  it.each([
    ['max_tokens', 'length'],
    ['refusal', 'refusal'],
    ['stop_sequence', 'stop'],
  ])('ends at the first answer when the model stops with %s', async (stopReason, finishReason) => {
    standIn.script = () => ({ stopReason });
    const { outcome } = await run();
    expect(outcome).toMatchObject({ status: 'succeeded', finishReason, text: 'Hello from the stand-in' });
    expect(standIn.journal).toHaveLength(1);
  });

  it('says budget_exceeded when money, not the caller, made the answer short', async () => {
    standIn.script = () => ({ stopReason: 'max_tokens' });
    const { outcome } = await run({ meter: new RecordingMeter(() => ({ maxTokens: 300 })) });
    expect(standIn.journal[0]?.body.max_tokens).toBe(300);
    expect(outcome).toMatchObject({ status: 'succeeded', finishReason: 'budget_exceeded' });
  });

  it('calls nobody when the meter refuses', async () => {
    const { outcome } = await run({ meter: new RecordingMeter(() => ({ refused: 'no money left' })) });
    expect(outcome).toMatchObject({ status: 'budget_exceeded', reason: 'no money left', text: '' });
    expect(standIn.journal).toHaveLength(0);
  });

  it.each([
    [401, 'credential_unavailable'],
    [403, 'credential_unavailable'],
    [400, 'upstream_rejected'],
    [429, 'upstream_overloaded'],
    [529, 'upstream_overloaded'],
    [500, 'upstream_error'],
  ])('maps an upstream %i to %s', async (status, code) => {
    standIn.script = () => ({ status, retryAfter: 1 });
    const { outcome } = await run();
    expect(outcome).toMatchObject({ status: 'failed', code, upstreamStatus: status, text: '' });
  });

  it('does not take a firewall’s 403, which a prompt can earn, for a bad credential', async () => {
    await run();
    standIn.script = () => ({ status: 403, message: 'blocked by policy' });
    for (let times = 0; times < 3; times += 1) await run();
    expect(app.get(CredentialHealth).check().ok).toBe(true);
    standIn.script = () => ({ status: 401 });
    for (let times = 0; times < 2; times += 1) await run();
    expect(app.get(CredentialHealth).check().ok).toBe(false);
    standIn.script = () => ({});
    await run();
    expect(app.get(CredentialHealth).check().ok).toBe(true);
  });

  it('recovers from a single overload and says so', async () => {
    standIn.script = (_, call) => (call === 1 ? { status: 529 } : {});
    const { events, outcome } = await run();
    expect(events).toContainEqual({ type: 'retry', attempt: 1, upstreamStatus: 529 });
    expect(outcome.status).toBe('succeeded');
  });

  it('does not show half an answer as a whole one, nor half of it twice', async () => {
    standIn.script = () => ({ cutAfterChunks: 2, chunkDelayMs: 50 });
    const { events, outcome } = await run();
    expect(outcome).toMatchObject({ status: 'failed', code: 'upstream_error', text: 'Hello from the s' });
    expect(events.filter(({ type }) => type === 'token')).toHaveLength(2);
    expect(standIn.journal).toHaveLength(1);
  });

  it('ends at its deadline when the model says nothing', async () => {
    standIn.script = () => ({ hang: true });
    const startedAt = performance.now();
    const { outcome } = await run({ limits: { deadlineMs: 1500 } });
    expect(outcome.status).toBe('timed_out');
    expect(performance.now() - startedAt).toBeLessThan(3500);
    expect(await foldersLeft()).toEqual([]);
  });

  it('stops within 2 s when it is cancelled, at the model too, and says that nobody knows what was used', async () => {
    standIn.script = () => ({ text: 'word '.repeat(500), chunks: 500, chunkDelayMs: 50 });
    const cancel = new AbortController();
    const meter = allowAll();
    const started = Date.now();
    let cancelledAt = 0;
    for await (const event of executor.run(spec({ meter }), cancel.signal)) {
      if (event.type === 'token' && !cancelledAt) {
        cancelledAt = Date.now();
        cancel.abort();
      }
      if (event.type === 'ended') expect(event.outcome.status).toBe('cancelled');
    }
    expect(cancelledAt).toBeGreaterThan(started);
    expect(Date.now() - cancelledAt).toBeLessThan(2000);
    expect(meter.recorded).toMatchObject([{ inputTokens: null, outputTokens: null }]);
    expect(standIn.aborted).toBe(1);
    expect(await foldersLeft()).toEqual([]);
  });

  it('passes a 1 MB prompt, a 1 MB system prompt and a 1 MB answer', async () => {
    const megabyte = 'abcdefgh'.repeat(128 * 1024);
    standIn.script = () => ({ text: megabyte, chunks: 200 });
    const { outcome } = await run({ prompt: megabyte, system: `$(id) \`id\` ${megabyte}` });
    // Not toEqual: a failure would print megabytes.
    expect(outcome.status).toBe('succeeded');
    expect(outcome.text === megabyte).toBe(true);
    expect(ModelStandIn.promptOf(standIn.journal[0]).map((text) => text === megabyte)).toEqual([true]);
    expect(standIn.journal[0]?.body.system.at(-1).text === `$(id) \`id\` ${megabyte}`).toBe(true);
  });

  it('is a failure when the CLI cannot be started', async () => {
    const broken = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of({ ...config, cliPath: '/nonexistent/claude' }), ExecutorModule],
    }).compile();
    await broken.init();
    const events: RunEvent[] = [];
    for await (const event of broken.get(CliExecutor).run(spec(), new AbortController().signal)) {
      events.push(event);
    }
    expect(events).toMatchObject([{ type: 'ended', outcome: { status: 'failed', code: 'cli_crashed' } }]);
    await broken.close();
  });
});
