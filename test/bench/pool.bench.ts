import { query, type SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessPool } from '../../libs/executor/src/pool/process-pool.js';
import { MessageQueue } from '../../libs/executor/src/claude-cli/message-queue.js';
import { startTestService, type TestService } from '../support/test-service.js';
import { percentiles } from './percentiles.js';

const ROUNDS = 150;
const SPREAD_MS = 10_000;
const CLIENTS = 16;

const message = (content: string, composed: boolean): SDKUserMessage => ({
  ...{ type: 'user', message: { role: 'user', content: [{ type: 'text', text: content }] } },
  ...{ parent_tool_use_id: null, ...(composed ? { client_composed: true as const } : {}) },
});

/** The CLI's own turn, with nothing of ours around it. */
async function bareProcess(url: string) {
  const home = await mkdtemp(join(tmpdir(), 'bare-'));
  await mkdir(join(home, 'work'));
  const input = new MessageQueue();
  const messages = query({
    prompt: input,
    options: {
      ...{
        settingSources: [],
        tools: [],
        systemPrompt: '',
        model: 'claude-haiku-5-5',
        cwd: join(home, 'work'),
      },
      ...{ includePartialMessages: true, persistSession: false, extraArgs: { restricted: null } },
      env: {
        ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: home, ANTHROPIC_API_KEY: 'x' },
        ...{ ANTHROPIC_BASE_URL: url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
      },
    },
  });
  const until = async (type: string) => {
    for (;;) if ((await messages.next()).value?.type === type) return;
  };
  const clear: SDKUserMessage = { ...message('', false), message: { role: 'user', content: '/clear' } };
  return {
    turn: async () => {
      const startedAt = performance.now();
      input.push(message('Say hello.', true));
      await until('result');
      return performance.now() - startedAt;
    },
    reset: async () => {
      const startedAt = performance.now();
      input.push(clear);
      await until('conversation_reset');
      await until('result');
      return performance.now() - startedAt;
    },
    end: async () => {
      messages.close();
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

/** Ratios of one run: the machine may be shared, so all that is compared is measured in turns. */
describe('processes that are there before the run', () => {
  let service: TestService;
  let keys: string[];

  beforeAll(async () => {
    service = await startTestService();
    keys = await Promise.all([1, 2, 3, 4].map(async () => (await service.key()).key));
  });
  afterAll(() => service.stop());

  const complete = async (key: string, over = {}) => {
    const startedAt = performance.now();
    const { status, text } = await service.post(
      '/v1/completions',
      { prompt: 'Say hello.', model: 'haiku', ...over },
      key,
    );
    if (status !== 200) throw new Error(text);
    return performance.now() - startedAt;
  };

  it('a completion takes little more than the turn of a bare process', async () => {
    const bare = await bareProcess(service.model.url);
    const took: Record<string, number[]> = {
      bare: [],
      reset: [],
      ours: [],
      'ours with system': [],
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      took.bare!.push(await bare.turn());
      took.reset!.push(await bare.reset());
      await sleep(15);
      took.ours!.push(await complete(keys[0]!));
      await sleep(15);
      took['ours with system']!.push(await complete(keys[0]!, { system: `You are number ${round}.` }));
      await sleep(15);
    }
    await bare.end();
    const ofLate = (times: number[]) => percentiles(times.slice(20));
    console.log(
      Object.fromEntries(
        Object.entries(took)
          .filter(([, t]) => t.length)
          .map(([name, times]) => [name, ofLate(times)]),
      ),
      loadavg(),
    );
    console.log(JSON.stringify(service.app.get(ProcessPool).state()));
  }, 120_000);

  it(`${CLIENTS} clients of ${4} keys`, async () => {
    const times: number[] = [];
    const end = performance.now() + SPREAD_MS;
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        while (performance.now() < end) times.push(await complete(keys[client % keys.length]!));
      }),
    );
    console.log(
      'ours',
      { clients: CLIENTS, perSecond: times.length / (SPREAD_MS / 1000), ...percentiles(times) },
      loadavg(),
    );
    const bare = await Promise.all(
      Array.from({ length: availableParallelism() * 2 }, () => bareProcess(service.model.url)),
    );
    let turns = 0;
    const until = performance.now() + SPREAD_MS;
    await Promise.all(
      bare.map(async (each) => {
        while (performance.now() < until) {
          await each.turn();
          turns += 1;
        }
      }),
    );
    console.log('bare, never reset', { perSecond: turns / (SPREAD_MS / 1000) }, loadavg());
    turns = 0;
    const again = performance.now() + SPREAD_MS;
    await Promise.all(
      bare.map(async (each) => {
        while (performance.now() < again) {
          await each.turn();
          await each.reset();
          turns += 1;
        }
      }),
    );
    console.log('bare, reset', { perSecond: turns / (SPREAD_MS / 1000) }, loadavg());
    for (const each of bare) await each.end();
    console.log(JSON.stringify(service.app.get(ProcessPool).state()));
  }, 180_000);
});
