import { BenchServer } from '../bench-server.js';
import { Caller } from '../caller.js';
import { percentiles } from '../percentiles.js';
import { ProcessTrees } from '../process-trees.js';
import { type Bar, bar, missed, report, scaled } from '../report.js';

const COMPLETIONS = Number(process.env.BENCH_COMPLETIONS ?? scaled(10_000, 400));
const KEYS = 20;
const CLIENTS = 8;
const SLICE_MS = 5_000;

interface Look {
  done: number;
  memoryMb: number;
  serverMb: number;
  databaseMb: number;
  files: number;
  processes: number;
}

/** Many completions of many keys, one after the other: nobody gets what is another's, and nothing grows. */
describe(`${COMPLETIONS} completions by ${KEYS} keys`, () => {
  let server: BenchServer;
  let caller: Caller;

  beforeAll(async () => {
    server = await BenchServer.start({ echo: true });
    const settings = { url: server.url, keys: await server.keys(KEYS), clients: CLIENTS };
    caller = await Caller.start('canaries', settings);
  }, 120_000);
  afterAll(async () => {
    await caller?.stop();
    await server?.stop();
  }, 60_000);

  const whole = () => new ProcessTrees([server.service]);

  function look(done: number): Look {
    const alone = new ProcessTrees([server.service], { only: true });
    return {
      ...{ done, memoryMb: whole().memoryMb(), serverMb: alone.memoryMb(), files: alone.files() },
      ...{ databaseMb: new ProcessTrees([server.database]).memoryMb(), processes: whole().count() },
    };
  }

  it(
    'hold no canary but their own, and leave memory, files and processes as they were',
    async () => {
      const looks: Look[] = [];
      const times: number[] = [];
      let seconds = 0;
      while (times.length < COMPLETIONS) {
        const slice = await caller.slice({ clients: CLIENTS, ms: SLICE_MS });
        times.push(...slice.samples.map(([ms]) => ms));
        seconds += slice.seconds;
        looks.push(look(times.length));
      }
      const { answered, wrong } = await caller.told<{ answered: number; wrong: object[] }>();
      const { requests, foreign } = await server.model.seen();
      const { p50, p95, p99 } = percentiles(times);
      const bars = [
        bar('completions that were not answered with their own canary', times.length - answered, { most: 0 }),
        bar('requests to the model that held another canary, or none', foreign.length, { most: 0 }),
        ...flatness(looks),
      ];
      const { kinds: _, ...pool } = await server.pool();
      report({
        ...{ bench: 'soak', completions: times.length, keys: KEYS, clients: CLIENTS, seconds },
        ...{ per_second: times.length / seconds, p50, p95, p99, requests, wrong, foreign, bars, pool },
        looks: looks.filter((_look, index) => index % Math.ceil(looks.length / 40) === 0),
      });
      expect(missed(bars)).toEqual([]);
    },
    3 * 3_600_000,
  );
});

/**
 * Of what came after the first fifth, when the pool has filled: the highest of the second half beside that of the
 * first. What a collector frees only now and then is a saw-tooth, of which nothing but the height tells.
 */
function flatness(looks: Look[]): Bar[] {
  const late = looks.filter(({ done }) => done > COMPLETIONS / 5);
  const half = Math.ceil(late.length / 2);
  const highest = (of: keyof Look, some: Look[]) => Math.max(...some.map((each) => each[of]));
  const grown = (of: keyof Look) => highest(of, late.slice(half)) / highest(of, late.slice(0, half));
  const told = {
    memoryMb: 'memory of the service and its pool',
    serverMb: 'memory of the server itself',
    files: 'open files of the server',
    processes: 'processes',
  } as const;
  return Object.entries(told).map(([of, what]) =>
    bar(`${what}: highest of the last half beside the half before`, grown(of as keyof Look), { most: 1.1 }),
  );
}
