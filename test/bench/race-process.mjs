// One process of the race: the built service's run path with its clients, and a script in the place of the CLI that
// calls the stand-in model by HTTP. Started and killed by race.bench.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { Test } from '@nestjs/testing';

// Not by name: where nothing was built yet, the checks of imports must pass.
const built = (lib) => import(new URL(`../../dist/libs/${lib}/src/index.js`, import.meta.url));
const { AuthModule, KeysService } = await built('auth');
const { CommonModule } = await built('common');
const { ConfigModule, loadConfig } = await built('config');
const { DatabaseModule } = await built('database');
const { CliExecutor } = await built('executor');
const { PermissionsModule } = await built('permissions');
const { Runs, RunsModule } = await built('runs');

const { environment, modelUrl, model, clients } = JSON.parse(process.argv[2]);
const between = (least, most) => Math.floor(least + Math.random() * (most - least + 1));

/** One to four model calls, each authorised before and metered after, as the broker does it. */
class CallingExecutor extends CliExecutor {
  async *run(spec) {
    yield { type: 'ended', outcome: { text: '', cliCostUsd: null, ...(await this.#work(spec)) } };
  }

  async #work(spec) {
    const calls = between(1, 4);
    for (let number = 1; number <= calls; number++) {
      const call = {
        model,
        inputBytes: between(200, 4_000),
        maxTokens: between(256, 8_000),
        leastTokens: 256,
      };
      const verdict = await authorised(spec.meter, call);
      if (verdict === null) return { status: 'failed', code: 'upstream_error', cause: 'no database' };
      if ('refused' in verdict) return { status: 'budget_exceeded', reason: verdict.refused };
      const granted = { ...call, maxTokens: verdict.maxTokens };
      spec.meter.record(granted, await answer({ run: spec.runId, number, ...granted }));
    }
    return { status: 'succeeded', finishReason: 'stop' };
  }
}

/** The CLI tries again when the broker cannot say. */
async function authorised(meter, call) {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return await meter.authorise(call);
    } catch {
      await sleep(250);
    }
  }
  return null;
}

const CUT = {
  ...{ model, inputTokens: null, outputTokens: null, cacheReadTokens: null },
  ...{ cacheWrite5mTokens: null, cacheWrite1hTokens: null },
};

async function answer(call) {
  try {
    const response = await fetch(modelUrl, { method: 'POST', body: JSON.stringify(call) });
    return await response.json();
  } catch {
    return CUT;
  }
}

const config = loadConfig({}, environment);
const app = await (
  await Test.createTestingModule({
    imports: [
      ...[CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(config.databaseUrl)],
      ...[PermissionsModule, AuthModule, RunsModule],
    ],
  })
    .overrideProvider(CliExecutor)
    .useValue(new CallingExecutor())
    .compile()
).init();
const runs = app.get(Runs);
const keys = app.get(KeysService);

let stopping = false;
process.on('SIGTERM', () => (stopping = true));
const signal = new AbortController().signal;

async function client(keyId) {
  const principal = await keys.principalOf(keyId);
  while (!stopping) {
    try {
      const request = { kind: 'completion', prompt: 'race', model, sampling: {} };
      const run = await runs.start(principal, request, signal);
      for await (const _ of run.events);
    } catch {
      // Denied, or the database is away: what a caller does then.
      await sleep(between(5, 40));
    }
  }
}

process.send('ready');
await Promise.all(clients.map(client));
// Ends that are still being retried come through before the process goes. What an admission left whose answer was
// lost is nobody's: the next start sweeps it.
for (let wait = 0; wait < 50 && (await open(config.instanceId)) > 0; wait++) await sleep(100);
await app.close();
process.exit(0);

async function open(instance) {
  const { Transactions } = await built('database');
  const sql = 'SELECT count(*)::int AS n FROM runs WHERE outcome IS NULL AND instance = $1';
  return (await app.get(Transactions).manager.query(sql, [instance]))[0].n;
}
