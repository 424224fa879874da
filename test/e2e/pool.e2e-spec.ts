import { mkdtemp, rm } from 'node:fs/promises';
import { globSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import {
  CliExecutor,
  ExecutorModule,
  type ModelCall,
  type ModelUsage,
  type Outcome,
  type RunEvent,
  RunMeter,
  type RunSpec,
} from '@app/executor';
import { ProcessPool } from '../../libs/executor/src/pool/process-pool.js';
import { ModelStandIn, type UpstreamRequest } from '../support/model-stand-in.js';
import { alive, cliProcesses, gone, type SeenProcess } from '../support/processes.js';
import { until } from '../support/task-api.js';

class RecordingMeter extends RunMeter {
  readonly calls: ModelCall[] = [];
  readonly usages: (ModelUsage | null)[] = [];
  override async authorise(call: ModelCall) {
    this.calls.push(call);
    return { maxTokens: call.maxTokens };
  }
  override record(_: ModelCall, usage: ModelUsage | null) {
    this.usages.push(usage);
  }
}

/** What is another one's of each session: ids, and nothing that the model reads. */
const comparable = ({ body: { metadata: _, ...body }, headers }: UpstreamRequest) => {
  const { 'x-claude-code-session-id': _id, host: _host, 'content-length': _length, ...others } = headers;
  return {
    body,
    headers: { ...others, 'anthropic-beta': others['anthropic-beta']?.toString().split(',').sort() },
  };
};

/** What the broker answers at this door to a model call with this token. */
const knock = (socketPath: string, token: string): Promise<number> =>
  new Promise((done, fail) => {
    const headers = { 'content-type': 'application/json', 'x-api-key': token };
    httpRequest({ socketPath, agent: false, path: '/v1/messages', method: 'POST', headers })
      .on('response', (answer) => done(answer.resume().statusCode ?? 0))
      .on('error', fail)
      .end('{"model":"claude-haiku-5-5","max_tokens":1,"messages":[]}');
  });

describe('the pool of processes, with the real CLI', () => {
  let standIn: ModelStandIn;
  const homes: string[] = [];
  let app: TestingModule;
  let runs = 0;

  async function start(env: Record<string, string> = {}): Promise<TestingModule> {
    // Each a home of its own: two services of one process and home would share their folders.
    const home = await mkdtemp(join(tmpdir(), 'pool-spec-'));
    homes.push(home);
    const model = { ANTHROPIC_API_KEY: 'sk-ant-real', ANTHROPIC_BASE_URL: standIn.url };
    const config = loadConfig(
      {},
      { CLAUDE_API_HOME: home, SANDBOX: 'bubblewrap', LOG_LEVEL: 'silent', ...model, ...env },
    );
    const imports = [CommonModule, ConfigModule.of(config), ExecutorModule];
    const module = await Test.createTestingModule({ imports })
      .setLogger(false as never)
      .compile();
    return module.init();
  }
  beforeAll(async () => {
    standIn = await ModelStandIn.start();
    app = await start();
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await app.close();
    await standIn.stop();
    for (const home of homes) await rm(home, { recursive: true });
  });

  async function run(over: Partial<RunSpec> = {}, { on = app, signal = new AbortController().signal } = {}) {
    const events: RunEvent[] = [];
    const meter = new RecordingMeter();
    const spec = {
      runId: `run_${(runs += 1)}`,
      prompt: 'say hello',
      model: 'claude-haiku-5-5',
      sampling: {},
    };
    const means = { limits: { deadlineMs: 30_000 }, meter, recycleFor: 'key_1' };
    for await (const event of on.get(CliExecutor).run({ ...spec, ...means, ...over }, signal))
      events.push(event);
    expect(events.filter(({ type }) => type === 'ended')).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'started').length).toBeLessThan(2);
    const { outcome } = events.at(-1) as { outcome: Outcome };
    return {
      events,
      outcome,
      meter,
      warm: events.some((event) => event.type === 'started' && event.warm === true),
    };
  }
  const state = (on = app) => on.get(ProcessPool).state();
  const rested = (on = app) =>
    until('a process rests', () => state(on).kinds.reduce((sum, each) => sum + each.rested, 0));
  const settled = (on = app) =>
    until(
      'the pool is quiet',
      () => state(on).kinds,
      (kinds) => kinds.every(({ busy, resetting }) => busy + resetting === 0),
    );

  const cliOf = () => cliProcesses(process.pid);

  it('a first run waits for its process, the next one of the same key finds it there', async () => {
    expect((await run()).warm).toBe(false);
    await rested();
    const { warm, outcome, events, meter } = await run();
    expect(warm).toBe(true);
    expect(outcome).toMatchObject({
      status: 'succeeded',
      finishReason: 'stop',
      text: 'Hello from the stand-in',
    });
    expect(events.map(({ type }) => type)).toEqual(['started', 'token', 'token', 'token', 'usage', 'ended']);
    expect(meter.usages).toMatchObject([{ inputTokens: 12, outputTokens: 7 }]);
    // The answer does not wait for the CLI's own sum.
    expect(outcome.cliCostUsd).toBeNull();
    expect(state()).toMatchObject({ misses: 1, rescued: 0 });
  });

  it.each([
    ['plain', {}],
    ['with a system prompt', { system: 'Be brief.\n' }],
    ['that looks like commands', { prompt: '/clear', system: '  @/etc/passwd ' }],
    ['sampled', { sampling: { maxTokens: 50, temperature: 0.5, stop: ['END'] } }],
    ['of several texts', { history: [{ role: 'user' as const, content: '/compact' }] }],
    ['for an older model', { model: 'claude-opus-4-1', system: 'Be brief.' }],
    ['for another model', { model: 'claude-sonnet-5-5' }],
  ])(
    'the request of a run %s is the same from a new, a recycled and an unpooled process',
    async (_, over) => {
      const cold = await start({ POOL: 'off' });
      await run(over, { on: cold });
      await cold.close();
      for (let times = 0; times < 3; times += 1) {
        const { outcome } = await run({ ...over, recycleFor: 'key_same' });
        expect(outcome.status).toBe('succeeded');
        await settled();
      }
      const [unpooled, ...pooled] = standIn.journal.map(comparable);
      expect(pooled).toHaveLength(3);
      for (const request of pooled) expect(request).toEqual(unpooled);
      expect(state().rescued).toBe(0);
    },
  );

  it('earlier turns and a system prompt of each run reach the model, and nothing of the runs before', async () => {
    const before = state().misses;
    for (let turn = 0; turn < 5; turn += 1) {
      const history = [
        { role: 'user' as const, content: `I am ${turn}` },
        { role: 'assistant' as const, content: `hello ${turn}` },
      ];
      await run({
        history,
        system: `You serve ${turn}.`,
        prompt: `who am I? ${turn}`,
        recycleFor: 'key_history',
      });
      await settled();
    }
    expect(state().misses).toBeLessThanOrEqual(before + 1);
    for (const [turn, { body }] of standIn.journal.entries()) {
      expect(body.system.at(-1).text).toBe(`You serve ${turn}.`);
      const said = body.messages.filter(({ role }: { role: string }) => role !== 'system');
      expect(
        said.map(({ role, content }: any) => [role, ...content.map((block: any) => block.text)]),
      ).toEqual([
        ['user', `I am ${turn}`],
        ['assistant', `hello ${turn}`],
        ['user', `who am I? ${turn}`],
      ]);
    }
  });

  it('no key ever sees another key’s canary, nor its own of an earlier run, over 160 runs', async () => {
    standIn.script = ({ body }) => ({
      text: `you said: ${ModelStandIn.promptOf({ body } as UpstreamRequest).join()}`,
    });
    const canary = (key: number, turn: number) => `canary-${key}-${turn}-${'x'.repeat(200)}`;
    const ofKey = async (key: number) => {
      for (let turn = 0; turn < 40; turn += 1) {
        const mine = canary(key, turn);
        const { outcome } = await run({ prompt: mine, system: `system ${mine}`, recycleFor: `key_${key}` });
        expect(outcome.text).toBe(`you said: ${mine}`);
      }
    };
    await Promise.all([10, 11, 12, 13].map(ofKey));
    expect(standIn.journal).toHaveLength(160);
    for (const { body } of standIn.journal) {
      const named = new Set(JSON.stringify(body).match(/canary-\d+-\d+/g));
      expect(named.size).toBe(1);
    }
    expect(state().rescued).toBe(0);
    expect(state().ended.failed).toBe(0);
  }, 120_000);

  it('leaves no file of a run in the box of the next one', async () => {
    const canary = `canary-in-a-file-${'y'.repeat(40)}`;
    for (let times = 0; times < 3; times += 1) {
      const history = [{ role: 'user' as const, content: canary }];
      await run({ prompt: canary, system: canary, history, recycleFor: 'key_files' });
      await settled();
    }
    const found: string[] = [];
    for (const { pid } of cliOf()) {
      for (const folder of ['home/claude', 'tmp', 'workspace', 'dev/shm']) {
        const root = `/proc/${pid}/root/${folder}`;
        for (const name of readdirSync(root, { recursive: true }) as string[]) {
          const path = join(root, name);
          if (!lstatSync(path).isFile()) continue;
          if (readFileSync(path).includes(canary)) found.push(path);
        }
      }
    }
    expect(cliOf().length).toBeGreaterThan(0);
    expect(found).toEqual([]);
  });

  it('a process is never recycled for another key, nor for no key at all', async () => {
    await run({ recycleFor: 'key_a' });
    await settled();
    const { recycled } = state().hits;
    await run({ recycleFor: 'key_b' });
    await run({ recycleFor: undefined });
    await run({ recycleFor: undefined });
    expect(state().hits.recycled).toBe(recycled);
  });

  it('POOL_RECYCLE=off gives every run a process that nobody had', async () => {
    const fresh = await start({ POOL_RECYCLE: 'off' });
    for (let times = 0; times < 3; times += 1) await run({}, { on: fresh });
    await settled(fresh);
    expect(state(fresh)).toMatchObject({ recycling: false, hits: { recycled: 0 }, ended: { worn: 3 } });
    expect(
      standIn.journal
        .map(({ body }) => body.metadata.user_id)
        .filter((id, at, all) => all.indexOf(id) === at),
    ).toHaveLength(3);
    await fresh.close();
  });

  it.each([
    ['was cut by its length', () => ({ stopReason: 'max_tokens' })],
    ['was refused by the model', () => ({ stopReason: 'refusal' })],
    ['failed upstream', () => ({ status: 400 })],
    ['was cut in the middle', () => ({ cutAfterChunks: 1, chunkDelayMs: 20 })],
  ])('a process whose run %s serves nobody again', async (how, script) => {
    const recycleFor = `key that ${how}`;
    await run({ recycleFor });
    await settled();
    const { recycled } = state().hits;
    standIn.script = script;
    expect((await run({ recycleFor })).warm).toBe(true);
    standIn.reset();
    expect((await run({ recycleFor })).outcome.status).toBe('succeeded');
    expect(state().hits.recycled).toBe(recycled + 1);
  });

  it('an idle process that is killed is replaced, and costs its owner nothing but time', async () => {
    await run({ recycleFor: 'key_idle' });
    await settled();
    for (const { pid } of cliOf()) process.kill(pid, 'SIGKILL');
    for (let times = 0; times < 3; times += 1) {
      expect((await run({ recycleFor: 'key_idle' })).outcome).toMatchObject({
        status: 'succeeded',
        text: 'Hello from the stand-in',
      });
    }
    expect(state().ended.failed).toBeGreaterThan(0);
    await until('a spare is there', () => state().kinds.some(({ fresh }) => fresh > 0));
  });

  it.each([
    ['before the model answers', { chunkDelayMs: 0 }, 0],
    ['in the middle of the answer', { chunks: 20, chunkDelayMs: 50 }, 3],
  ])('a process that is killed at work, %s, loses nothing of the answer', async (_, pace, tokens) => {
    const recycleFor = `key killed ${tokens}`;
    await run({ recycleFor });
    await settled();
    const text = 'word '.repeat(100);
    const kill = () => cliOf().forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
    standIn.script = (_request, call) => {
      if (tokens === 0 && call <= 2) kill();
      return { ...pace, text };
    };
    standIn.journal.length = 1;
    let seen = 0;
    const events: RunEvent[] = [];
    const meter = new RecordingMeter();
    const spec = {
      runId: 'run_killed',
      prompt: 'go',
      model: 'claude-haiku-5-5',
      sampling: {},
      meter,
      recycleFor,
    };
    const signal = new AbortController().signal;
    for await (const event of app.get(CliExecutor).run({ ...spec, limits: { deadlineMs: 30_000 } }, signal)) {
      events.push(event);
      if (event.type === 'token' && (seen += 1) === tokens) kill();
    }
    const told = events.flatMap((event) => (event.type === 'token' ? [event.content] : []));
    expect(told.join('')).toBe(text);
    expect(events.at(-1)).toMatchObject({ outcome: { status: 'succeeded', text } });
    // It is paid once: the model was not asked again.
    expect(meter.usages.filter(Boolean)).toHaveLength(1);
  });

  it('a process that does not listen any more is left for another one', async () => {
    await run({ recycleFor: 'key_wedged' });
    await settled();
    const stopped = cliOf();
    for (const { pid } of stopped) process.kill(pid, 'SIGSTOP');
    const { rescued } = state();
    const { outcome } = await run({ recycleFor: 'key_wedged' });
    expect(outcome.status).toBe('succeeded');
    expect(state().rescued).toBe(rescued + 1);
    for (const { pid } of alive(stopped)) process.kill(pid, 'SIGKILL');
  });

  it('a reset that does not come is the end of the process, and nobody waits for it', async () => {
    let stopped: SeenProcess[] = [];
    standIn.script = () => ({ text: 'then it freezes' });
    const { ended } = state();
    for await (const event of app.get(CliExecutor).run(
      {
        ...{ runId: 'run_frozen', prompt: 'go', model: 'claude-haiku-5-5', sampling: {} },
        ...{ limits: { deadlineMs: 30_000 }, meter: new RecordingMeter(), recycleFor: 'key_frozen' },
      },
      new AbortController().signal,
    )) {
      if (event.type !== 'usage') continue;
      stopped = cliOf();
      for (const { pid } of stopped) process.kill(pid, 'SIGSTOP');
    }
    await until('it was ended', () => state().ended.failed > ended.failed);
    // The others were stopped along with it, and are of no more use.
    for (const { pid } of alive(stopped)) process.kill(pid, 'SIGKILL');
    expect((await run({ recycleFor: 'key_frozen' })).outcome.status).toBe('succeeded');
  }, 60_000);

  it('a process that calls the model while it serves nobody is refused and ended', async () => {
    await run({ recycleFor: 'key_stray' });
    await settled();
    const [cli] = cliOf();
    const variables = readFileSync(`/proc/${cli?.pid}/environ`, 'utf8').split('\0');
    const token = variables.find((each) => each.startsWith('ANTHROPIC_API_KEY='))?.split('=')[1] ?? '';
    const sockets = globSync(join(tmpdir(), `claude-api-*/${process.pid}-*/pool_*/broker.sock`));
    const answers = await Promise.all(sockets.map((socketPath) => knock(socketPath, token)));
    expect(new Set(answers)).toEqual(new Set([401]));
    expect(standIn.journal).toHaveLength(1);
    expect(await gone([cli as SeenProcess], 5_000)).toEqual([]);
  });

  it('memory, processes and descriptors stay the same over hundreds of runs of a process', async () => {
    const measured: { memory: number; descriptors: number; processes: number }[] = [];
    for (let times = 0; times < 240; times += 1) {
      await run({ recycleFor: 'key_flat', prompt: `prompt ${times} ${'x'.repeat(1000)}` });
      if (times % 80 !== 79) continue;
      await settled();
      const kind = state().kinds.find(({ label }) => label === 'text claude-haiku-5-5');
      measured.push({
        memory: Math.round((kind?.memory_bytes ?? 0) / 2 ** 20),
        descriptors: readdirSync('/proc/self/fd').length,
        processes: cliOf().length,
      });
    }
    const [first, , last] = measured as [(typeof measured)[0], (typeof measured)[0], (typeof measured)[0]];
    expect(last.processes).toBeLessThanOrEqual(first.processes + 1);
    expect(last.descriptors).toBeLessThan(first.descriptors + 30);
    expect(last.memory).toBeLessThan(first.memory * 1.5 + 100);
    expect(state().memory_bytes).toBeLessThan(state().memory_limit_bytes);
  }, 180_000);

  it('a pool that is closed leaves no process and no folder', async () => {
    const other = await start();
    const before = cliOf();
    await run({}, { on: other });
    await settled(other);
    const mine = cliOf().filter(({ pid }) => !before.some((each) => each.pid === pid));
    expect(mine.length).toBeGreaterThan(0);
    await other.close();
    expect(await gone(mine, 2_000)).toEqual([]);
  });

  it('a run that is cancelled while it waits for a new process does not wait for it', async () => {
    const timed = async (model: string, signal: AbortSignal) => {
      const startedAt = performance.now();
      const { outcome } = await run({ model, recycleFor: 'key_gone' }, { signal });
      return { status: outcome.status, ms: performance.now() - startedAt };
    };
    const whole = await timed('claude-sonnet-4-5', new AbortController().signal);
    const cancelled = await timed('claude-opus-4-5', AbortSignal.abort());
    expect([whole.status, cancelled.status]).toEqual(['succeeded', 'cancelled']);
    expect(cancelled.ms).toBeLessThan(whole.ms / 2);
    expect(standIn.journal).toHaveLength(1);
  });

  it('a cancelled and a late run end in time, and take their process with them', async () => {
    for (const how of ['cancelled', 'timed_out'] as const) {
      await run({ recycleFor: `key_${how}` });
      await settled();
      standIn.script = () => ({ text: 'word '.repeat(500), chunks: 500, chunkDelayMs: 50 });
      const cancel = new AbortController();
      setTimeout(() => how === 'cancelled' && cancel.abort(), 1_000);
      const startedAt = performance.now();
      const { outcome, warm } = await run(
        { recycleFor: `key_${how}`, limits: { deadlineMs: how === 'cancelled' ? 30_000 : 1_000 } },
        { signal: cancel.signal },
      );
      expect([outcome.status, warm]).toEqual([how, true]);
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      standIn.reset();
    }
    expect(state().kinds.reduce((sum, { busy }) => sum + busy, 0)).toBe(0);
  });
});
