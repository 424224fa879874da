import { setTimeout as sleep } from 'node:timers/promises';
import { cleanUp, ServerProcess } from '../../support/server-process.js';
import { postmasterOf } from '../bench-server.js';
import { percentiles } from '../percentiles.js';
import { ProcessTrees } from '../process-trees.js';
import { report, scaled } from '../report.js';

const STARTS = scaled(8, 2);
const LOOK_EVERY_MS = 10;
const SETTLE_MS = 3_000;

/** `claude-api serve` with its embedded database, which has its data already and starts with it. */
describe('the start of a server', () => {
  let home: string;
  const servers: ServerProcess[] = [];

  beforeAll(async () => {
    home = await ServerProcess.temporaryHome();
    await stop(await ServerProcess.start(home, { ANTHROPIC_API_KEY: 'sk-ant-bench' }));
  }, 120_000);
  afterAll(() => cleanUp(home, servers), 60_000);

  async function stop(server: ServerProcess): Promise<void> {
    servers.push(server);
    await server.stop();
  }

  it('until it answers', async () => {
    const starts: number[] = [];
    const memory = { server: 0, database: 0 };
    for (let index = 0; index < STARTS; index += 1) {
      const startedAt = performance.now();
      const server = await ServerProcess.spawn(home, { ANTHROPIC_API_KEY: 'sk-ant-bench' });
      while (!(await fetch(`${server.url}/health`).catch(() => null))?.ok) await sleep(LOOK_EVERY_MS);
      starts.push(performance.now() - startedAt);
      await sleep(SETTLE_MS);
      memory.server = new ProcessTrees([server.child.pid!]).memoryMb();
      memory.database = new ProcessTrees([postmasterOf(server)]).memoryMb();
      await stop(server);
    }
    const { p50, max } = percentiles(starts);
    report({ bench: 'server start', unit: 'ms', starts: STARTS, p50, max, memory_mb: memory });
    expect(memory.server).toBeGreaterThan(0);
  }, 300_000);
});
