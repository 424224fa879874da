import { availableParallelism } from 'node:os';
import { BenchServer } from '../bench-server.js';
import { Caller } from '../caller.js';
import { type Contestant, Contest } from '../contest.js';
import { ProcessTrees } from '../process-trees.js';
import { type Bar, bar, missed, report, scaled } from '../report.js';
import { MODELS } from '../scripted-model.js';

const PROMPT = 'Say what a mutex is.';
const CLIENTS = [1, 4, 16];
const TRIAL_MS = 1_500;
const WARM_UP_MS = scaled(10_000, 500);

/** How long each model is measured: rounds of one client, then slices at each number of clients. */
const LENGTH = {
  instant: { rounds: scaled(150, 16), warmUp: 10, turns: scaled(3, 1), ms: scaled(3_000, 500) },
  realistic: { rounds: scaled(12, 4), warmUp: 2, turns: scaled(2, 1), ms: scaled(2_000, 1_000) },
};

type Figures = Record<string, Record<string, number>>;

/** All that is compared runs in this one run, on this machine, and takes turns. */
describe.each(['instant', 'realistic'] as const)('completions of a model that is %s', (name) => {
  let server: BenchServer;
  const callers: Caller[] = [];

  beforeAll(async () => {
    // Runs that mostly wait for the model share a CPU well: an operator would let more of them run.
    server = await BenchServer.start(MODELS[name], name === 'realistic' ? { MAX_RUNS: '16' } : {});
  }, 120_000);
  afterAll(async () => {
    for (const caller of callers) await caller.stop();
    await server?.stop();
  }, 60_000);

  async function start(way: string, settings: object): Promise<Caller> {
    const caller = await Caller.start(way, settings);
    callers.push(caller);
    return caller;
  }

  async function contestants(): Promise<Contestant[]> {
    const plain = { modelUrl: server.model.url, prompt: PROMPT };
    const ours = { url: server.url, keys: await server.keys(4), prompt: PROMPT };
    const own = (caller: Caller) => ({ caller, trees: new ProcessTrees([caller.pid]) });
    const bare = own(await start('bare', plain));
    const mostClients = name === 'instant' ? await bestOf(bare.caller) : undefined;
    return [
      { name: 'claude -p', ...own(await start('cli', plain)), isSlow: true },
      { name: 'query()', ...own(await start('sdk', plain)), isSlow: true },
      { name: 'bare', ...bare, warmUpMs: WARM_UP_MS },
      { name: 'bare, reset', ...bare, rest: true },
      ...(mostClients ? [{ name: 'bare, shared', ...bare, mostClients }] : []),
      ...(mostClients ? [{ name: 'bare, shared, reset', ...bare, mostClients, rest: true }] : []),
      {
        ...{ name: 'JSON', trees: server.trees, caller: await start('http', ours) },
        warmUpMs: WARM_UP_MS,
      },
      { name: 'SSE', trees: server.trees, caller: await start('http', { ...ours, stream: true }) },
      { name: 'WebSocket', trees: server.trees, caller: await start('socket', ours) },
      {
        name: 'JSON, another system',
        trees: server.trees,
        caller: await start('http', { ...ours, system: true }),
      },
      {
        name: 'WebSocket, history',
        trees: server.trees,
        caller: await start('socket', { ...ours, history: true }),
      },
    ];
  }

  it(
    'are measured against the CLI, the SDK and a bare process',
    async () => {
      const { rounds, warmUp, turns, ms } = LENGTH[name];
      const all = await contestants();
      const contest = new Contest(all);
      // At one client a reset in the loop is nothing that latency could show, and nothing is shared.
      const alone = new Contest(all.filter(({ rest, mostClients }) => !rest && !mostClients));
      const latency = (await alone.latencies(rounds, warmUp)) as Figures;
      const atClients: Record<string, Figures> = {};
      for (const clients of CLIENTS) atClients[clients] = (await contest.load(clients, turns, ms)) as Figures;
      const bars = name === 'instant' ? barsOf(latency, atClients['16']!) : [];
      const shared = all.find(({ mostClients }) => mostClients)?.mostClients ?? null;
      const { kinds: _, ...pool } = await server.pool();
      report({
        ...{ bench: `completions ${name}`, latency, at_clients: atClients, bars, pool },
        ...{ shared_bare_processes: shared, keys: 4, max_runs: server.server.env.MAX_RUNS ?? null },
      });
      expect(missed(bars)).toEqual([]);
    },
    20 * 60_000,
  );

  /** So many processes get most done, for more of them get in each other's way. */
  async function bestOf(bare: Caller): Promise<number> {
    const rates = new Map<number, number>();
    for (const clients of [1, 2, 4].map((each) => each * availableParallelism())) {
      await bare.prepare(clients);
      const { samples, seconds } = await bare.slice({ clients, ms: TRIAL_MS });
      rates.set(clients, samples.length / seconds);
    }
    return [...rates].sort(([, a], [, b]) => b - a)[0]![0];
  }
});

function barsOf(latency: Figures, atSixteen: Figures): Bar[] {
  const p50 = (name: string) => latency[name]!.p50!;
  const rate = (name: string) => atSixteen[name]!.per_second!;
  return [
    bar('p50 of an answer, of a bare turn', p50('JSON') / p50('bare'), { most: 1.25, aim: 1.15 }),
    bar('ms to the first word over SSE, p50', latency.SSE!.first_p50!, { most: 40 }),
    bar('answers a second at 16 clients, of `claude -p`', rate('JSON') / rate('claude -p'), { least: 7 }),
    bar('answers a second at 16 clients, of a bare process for each', rate('JSON') / rate('bare'), {
      least: 0.85,
    }),
    bar('… of few bare processes that all clients share', rate('JSON') / rate('bare, shared'), {}),
    bar('… of the same, reset after each turn', rate('JSON') / rate('bare, shared, reset'), {}),
    // Their difference is smaller than what one run can tell.
    bar('p50 over the WebSocket, of SSE', p50('WebSocket') / p50('SSE'), { most: 1.05 }),
  ];
}
