import { setTimeout as sleep } from 'node:timers/promises';
import { StreamClient } from '../../support/stream-client.js';
import { BenchServer } from '../bench-server.js';
import { Caller } from '../caller.js';
import { percentiles } from '../percentiles.js';
import { ProcessTrees } from '../process-trees.js';
import { report, scaled } from '../report.js';

const READERS = scaled(200, 20);
const SOCKETS = scaled(1_000, 100);
const SOCKETS_PER_KEY = 10;
const AT_ONCE = 20;
const SETTLE_MS = 5_000;
/** Begins when the readers are there, and then speaks for four seconds. */
const SLOW = {
  text: 'One word after the other. '.repeat(10),
  chunks: 40,
  firstDelayMs: 3_000,
  chunkDelayMs: 100,
};

/** Many who only read. */
describe('readers', () => {
  let server: BenchServer;

  beforeAll(async () => {
    server = await BenchServer.start(SLOW);
  }, 120_000);
  afterAll(() => server?.stop(), 60_000);

  it(`${READERS} readers of one task`, async () => {
    const [key] = await server.keys(1);
    const caller = await Caller.start('readers', { url: server.url, key, readers: READERS });
    const trees = new ProcessTrees([server.service]);
    const before = trees.cpuSeconds();
    const { seconds } = await caller.slice({ clients: 1, ms: 0 });
    const cpuSeconds = trees.cpuSeconds() - before;
    const { delays, seen } = await caller.told<{ delays: number[]; seen: number[] }>();
    await caller.stop();
    const { p50, p95, p99, max } = percentiles(delays);
    report({
      ...{ bench: 'readers of a task', unit: 'ms', readers: READERS, events: seen[0], seconds },
      ...{ deliveries: delays.length, p50, p95, p99, max, cpu_seconds: cpuSeconds },
    });
    // Everybody is told everything.
    expect(new Set(seen).size).toBe(1);
    expect(delays.length).toBeGreaterThan(READERS * 10);
  }, 60_000);

  it(`${SOCKETS} WebSockets on which nothing happens`, async () => {
    const keys = await server.keys(Math.ceil(SOCKETS / SOCKETS_PER_KEY));
    const trees = new ProcessTrees([server.service]);
    const sockets: StreamClient[] = [];
    const connect = async (count: number) => {
      for (const end = sockets.length + count; sockets.length < end;) {
        const opened = Array.from({ length: Math.min(AT_ONCE, end - sockets.length) }, (_, index) =>
          StreamClient.open(server.url, keys[Math.floor((sockets.length + index) / SOCKETS_PER_KEY)]),
        );
        sockets.push(...(await Promise.all(opened)));
      }
      await sleep(SETTLE_MS);
    };
    // What the first ones load stays, however many come.
    await connect(SOCKETS / 10);
    const [mb, cpu] = [trees.memoryMb(), trees.cpuSeconds()];
    await connect(SOCKETS * 0.9);
    const kb = ((trees.memoryMb() - mb) * 1024) / (SOCKETS * 0.9);
    report({ bench: 'idle sockets', sockets: SOCKETS, kb_each: kb, cpu_seconds: trees.cpuSeconds() - cpu });
    expect(sockets.filter(({ closed }) => closed)).toEqual([]);
    for (const socket of sockets) socket.close();
  }, 120_000);
});
