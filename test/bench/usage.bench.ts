import { operatorPrincipal } from '@app/auth';
import {
  LedgerRetention,
  Usage,
  UsageDto,
  UsageExport,
  type UsageQuestion,
  UsageRollups,
} from '@app/budgets';
import { ENDED, type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { MovableClock } from '../support/movable-clock.js';
import { percentiles } from './percentiles.js';
import { report } from './report.js';

const ROWS = Number(process.env.USAGE_ROWS ?? 1_000_000);
const DAYS = 400;
const PROJECTS = 50;
const KEYS = 500;
const SAMPLES = 40;
const DAY_MS = 86_400_000;
const NOW = new Date();

/** A ledger as it is after 400 days of so many runs, on one machine with its database. */
describe(`the usage of ${ROWS} runs`, () => {
  let database: TestDatabase;
  let here: LedgerProcess;
  const clock = new MovableClock();
  const usage = () => here.app.get(Usage);

  beforeAll(async () => {
    database = await createTestDatabase();
    clock.movedMs = -DAYS * DAY_MS;
    here = await startLedgerProcess(database.url, clock);
    await fill();
  }, 3_600_000);
  const slow: object[] = [];
  afterAll(async () => {
    await here?.stop();
    await database?.drop();
  });

  /** Months as they would have been made, and runs evenly over all of them; the last ten minutes wait. */
  async function fill(): Promise<void> {
    await here.rows('TRUNCATE usage_rollups');
    await here.rows(`DO $$ DECLARE t text; BEGIN
      FOR t IN SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent IN ('runs'::regclass, 'run_usage'::regclass, 'usage_rollups'::regclass)
          AND inhrelid::regclass::text !~ '_default$' LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$`);
    for (; clock.movedMs <= 0; clock.movedMs += 30 * DAY_MS) await here.app.get(LedgerRetention).makeAhead();
    clock.movedMs = 0;
    await here.app.get(LedgerRetention).makeAhead();
    await here.rows('ALTER TABLE runs DISABLE TRIGGER USER');
    for (let from = 1; from <= ROWS; from += 500_000) {
      const values = [from, Math.min(from + 499_999, ROWS), NOW];
      await here.rows(RUNS, values);
      await here.rows(RUN_USAGE, values);
    }
    await here.rows('ALTER TABLE runs ENABLE TRIGGER USER');
    await here.rows('ANALYZE');
    await here.rows(
      `INSERT INTO usage_pending SELECT date_trunc('hour', started_at, 'UTC'), id FROM runs
        WHERE started_at > now() - interval '10 minutes'`,
    );
    const { ms } = await timed(() => here.app.get(UsageRollups).rebuild());
    await here.rows('VACUUM ANALYZE');
    report({ bench: 'usage rebuild', rows: ROWS, rebuild_ms: ms, rollup_rows: await count('usage_rollups') });
  }

  const count = async (table: string) => Number((await here.rows(`SELECT count(*) FROM ${table}`))[0].count);
  const bytes = async () =>
    Number((await here.rows('SELECT pg_database_size(current_database()) AS bytes'))[0].bytes);

  it('adds up to what the ledger says', async () => {
    const all = { from: new Date(Date.now() - (DAYS + 2) * DAY_MS).toISOString() };
    const told = UsageDto.from(await usage().managed(operatorPrincipal(), all));
    const [raw] = await here.rows('SELECT count(*) AS runs, sum(cost_nano) AS nano FROM runs');
    expect([told.runs, Math.round(told.total_cost_usd! * 1e9)]).toEqual([ROWS, Number(raw.nano)]);
  }, 600_000);

  it.each(['day', 'week', 'month'] as const)(
    'measures answers for a %s',
    async (period) => {
      const project = { ...operatorPrincipal(), project: 'project-7' };
      for (const groupBy of ['model', 'key', 'day'] as const) {
        await measure(`project by ${groupBy}`, { period, groupBy }, (question) =>
          usage().own(project, question),
        );
      }
      for (const groupBy of ['project', 'key', 'model', 'day'] as const) {
        await measure(`all by ${groupBy}`, { period, groupBy }, (question) =>
          usage().managed(operatorPrincipal(), question),
        );
      }
      const elsewhere = { period, groupBy: 'day', timeZone: 'Asia/Kolkata' } as const;
      await measure('project by day of Kolkata', elsewhere, (question) => usage().own(project, question));
    },
    600_000,
  );

  async function measure(
    what: string,
    question: UsageQuestion,
    ask: (question: UsageQuestion) => Promise<unknown>,
  ) {
    const samples: number[] = [];
    for (let n = 0; n < SAMPLES; n++) samples.push((await timed(() => ask(question))).ms);
    const figures = percentiles(samples);
    report({ bench: `usage of a ${question.period}, ${what}`, rows: ROWS, ...figures });
    if (figures.p95 >= 150) slow.push({ what, period: question.period, p95: figures.p95 });
  }

  it('answers all of them in less than 150 ms, 95 times of 100', () => {
    expect(slow).toEqual([]);
  });

  it('opens and ends runs as before', async () => {
    const key = await here.key();
    const samples: number[] = [];
    for (let n = 0; n < 300; n++) {
      const opening = here.opening(key);
      samples.push(
        (
          await timed(async () => {
            await here.ledger.admit(opening);
            await here.end(opening.runId, ENDED);
          })
        ).ms,
      );
    }
    report({ bench: 'admit and end', rows: ROWS, ...percentiles(samples.slice(50)) });
  }, 60_000);

  it('adds up what waits', async () => {
    const waiting = await count('usage_pending');
    const { ms } = await timed(() => here.app.get(UsageRollups).rollUp());
    report({ bench: 'usage roll-up', rows: ROWS, waiting, ms });
  }, 60_000);

  it('exports without holding it', async () => {
    const request = { format: 'csv', from: new Date(Date.now() - 90 * DAY_MS).toISOString() } as const;
    let written = 0;
    let most = 0;
    const { ms } = await timed(async () => {
      for await (const piece of await here.app.get(UsageExport).start(operatorPrincipal(), request)) {
        written += piece.length;
        most = Math.max(most, process.memoryUsage().heapUsed);
      }
    });
    report({ bench: 'usage export', rows: ROWS, mb: written / 2 ** 20, ms, most_heap_mb: most / 2 ** 20 });
  }, 600_000);

  it('drops months, and their space is free', async () => {
    const [rowsBefore, bytesBefore] = [await count('runs'), await bytes()];
    clock.movedMs = 62 * DAY_MS;
    const { ms } = await timed(() => here.app.get(LedgerRetention).dropOld());
    const dropped = rowsBefore - (await count('runs'));
    report({ bench: 'usage retention', dropped, ms, freed_mb: (bytesBefore - (await bytes())) / 2 ** 20 });
    expect(dropped).toBeGreaterThan(0);
    expect(await bytes()).toBeLessThan(bytesBefore);
  }, 60_000);
});

const RUN = `
  SELECT n, 'run_' || lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || lpad(to_hex(n), 20, '0') AS id, at,
         (hashint4(n) & 1023) % ${KEYS} AS key, (hashint4(n + 1) & 1023) % 3 AS model, hashint4(n + 2) & 1048575 AS cost
    FROM (SELECT n, $3::timestamptz - interval '${DAYS} days' + (n / ${ROWS}.0) * interval '${DAYS} days' AS at
            FROM generate_series($1::int, $2::int) n) times`;

const RUNS = `
  INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, started_at, ended_at,
                    outcome, cost_nano, cost_kind)
  SELECT id, 'project-' || key % ${PROJECTS}, 'key_' || lpad(key::text, 32, '0'), 'completion', 'claude-model-' || model,
         1000000, 'bench', 'bench', at, at, at + interval '2 seconds',
         CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'succeeded' END, cost, 'billed' FROM (${RUN}) run`;

const RUN_USAGE = `
  INSERT INTO run_usage (run_id, model, calls, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
                         cache_write_1h_tokens, cost_nano, price_version)
  SELECT id, 'claude-model-' || model, 1, cost % 1000, cost % 500, 0, 0, 0, cost, 'bench' FROM (${RUN}) run`;

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const startedAt = performance.now();
  const result = await work();
  return { result, ms: performance.now() - startedAt };
}
