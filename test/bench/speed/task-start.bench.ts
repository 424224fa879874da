import { TaskApi, until } from '../../support/task-api.js';
import { eventsOf } from '../../support/test-service.js';
import { BenchServer } from '../bench-server.js';
import { percentiles } from '../percentiles.js';
import { bar, missed, report, scaled } from '../report.js';
import { MODELS } from '../scripted-model.js';

const TASKS = scaled(40, 5);

/** From the 202 to the event `started` at its reader: queue, box, process and log included, one task at a time. */
describe.each(['pro', 'enterprise'])('the start of a task of the tier %s', (tier) => {
  let server: BenchServer;
  let api: TaskApi;

  beforeAll(async () => {
    server = await BenchServer.start(MODELS.instant);
    api = new TaskApi(server.url, (await server.keys(1, tier))[0]!);
  }, 120_000);
  afterAll(() => server?.stop(), 60_000);

  it('is soon after it was accepted', async () => {
    const cold = await startOf();
    const starts: number[] = [];
    let warm = 0;
    for (let index = 0; index < TASKS; index += 1) {
      await until('a process waits', spares);
      const { ms, isWarm } = await startOf();
      starts.push(ms);
      warm += isWarm ? 1 : 0;
    }
    const { p50, p95, max } = percentiles(starts);
    const bars = [bar(`ms from 202 to \`started\`, tier ${tier}, p50`, p50, { most: 250 })];
    const figures = { tasks: TASKS, warm, p50, p95, max, first_of_all: cold.ms };
    report({ bench: `task start, ${tier}`, unit: 'ms', ...figures, bars });
    expect(missed(bars)).toEqual([]);
  }, 300_000);

  async function spares(): Promise<number> {
    const { kinds } = await server.pool();
    return kinds.reduce(
      (sum: number, { label, fresh }: any) => sum + (label.startsWith('task') ? fresh : 0),
      0,
    );
  }

  async function startOf(): Promise<{ ms: number; isWarm: boolean }> {
    const id = await api.submit({ description: 'Say what a mutex is' });
    const acceptedAt = performance.now();
    let ms: number | undefined;
    let text = '';
    const stream = await api.follow(id);
    for await (const piece of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.includes('event: started')) ms ??= performance.now() - acceptedAt;
    }
    expect(eventsOf(text).at(-1)).toMatchObject({ type: 'result', status: 'succeeded' });
    return { ms: ms!, isWarm: (await api.show(id)).timing.warm };
  }
});
