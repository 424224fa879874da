import { BenchServer } from '../bench-server.js';
import { Caller } from '../caller.js';
import { percentiles } from '../percentiles.js';
import { report, scaled } from '../report.js';
import { MODELS } from '../scripted-model.js';

const TURNS = scaled(10, 2);
const SLICE_MS = 300;

/** What a key costs a request that runs nothing. `/health` asks for no key. */
describe('requests that run nothing', () => {
  let server: BenchServer;
  const callers: Record<string, Caller> = {};

  beforeAll(async () => {
    server = await BenchServer.start(MODELS.instant);
    const [key] = await server.keys(1);
    const get = (path: string, as: string) => Caller.start('http', { url: server.url, keys: [as], path });
    callers['GET /health'] = await get('/health', key!);
    callers['GET /v1/admin/pool, a known key, no query'] = await get('/v1/admin/pool', server.adminKey);
    callers['GET /v1/me, a known key, its limits and budgets'] = await get('/v1/me', key!);
  }, 120_000);
  afterAll(async () => {
    for (const caller of Object.values(callers)) await caller.stop();
    await server?.stop();
  }, 60_000);

  it('are measured', async () => {
    const samples: Record<string, number[]> = {};
    for (let turn = -1; turn < TURNS; turn += 1) {
      for (const [name, caller] of Object.entries(callers)) {
        const slice = await caller.slice({ clients: 1, ms: SLICE_MS });
        if (turn >= 0) (samples[name] ??= []).push(...slice.samples.map(([ms]) => ms));
      }
    }
    const figures = Object.fromEntries(
      Object.entries(samples).map(([name, taken]) => {
        const { samples: count, p50, p95, p99 } = percentiles(taken);
        return [name, { samples: count, p50, p95, p99 }];
      }),
    );
    report({ bench: 'requests', unit: 'ms', figures });
    expect(Object.keys(figures)).toHaveLength(3);
  }, 120_000);
});
