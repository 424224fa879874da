import { operatorPrincipal } from '@app/auth';
import { LedgerRetention, Usage, UsageDto, UsageRollups } from '@app/budgets';
import { ENDED, type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { MovableClock } from '../support/movable-clock.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { addRun, runIdAt } from '../support/usage-ledger.js';

const DAY_MS = 86_400_000;

describe('the months of the ledger', () => {
  let database: TestDatabase;
  let here: LedgerProcess;
  let clock: MovableClock;

  beforeEach(async () => {
    database = await createTestDatabase();
    clock = new MovableClock();
    here = await startLedgerProcess(database.url, clock);
    // The months of the audit are made ahead by itself; here there is room for any.
    await here.rows('CREATE TABLE audit_of_any_month PARTITION OF audit_events DEFAULT');
  });
  afterEach(async () => {
    await here.stop();
    await database.drop();
  });

  const retention = () => here.app.get(LedgerRetention);
  const daysAgo = (days: number) => new Date(clock.now().getTime() - days * DAY_MS);
  const partitionOf = async (id: string) =>
    (await here.rows('SELECT tableoid::regclass::text AS name FROM runs WHERE id = $1', [id]))[0]?.name;
  async function months(): Promise<void> {
    for (let month = 0; month < 16; month++) {
      clock.movedMs += 31 * DAY_MS;
      await retention().makeAhead();
    }
  }
  async function usedIn(from: Date, to: Date) {
    const question = { from: from.toISOString(), to: to.toISOString(), project: 'p' };
    return UsageDto.from(await here.app.get(Usage).managed(operatorPrincipal(), question));
  }

  it('are there when the month turns, and when nobody made them a run still starts', async () => {
    const key = await here.key();
    const inMonths = (count: number) => runIdAt(new Date(clock.now().getTime() + count * 31 * DAY_MS));
    for (const [runId, where] of [
      [inMonths(0), 'runs_first'],
      [inMonths(2), expect.stringMatching(/^runs_2\d{5}$/)],
      [inMonths(12), 'runs_default'],
    ] as const) {
      expect(await here.ledger.admit(here.opening(key, { runId }))).toMatchObject({ verdict: 'admitted' });
      expect(await here.end(runId, ENDED)).toMatchObject({ ended: true });
      expect(await partitionOf(runId)).toEqual(where);
    }

    const later = inMonths(12);
    await here.ledger.admit(here.opening(key, { runId: later }));
    await months();

    expect(await partitionOf(later)).toMatch(/^runs_2\d{5}$/);
    const bill = {
      ...{ model: 'm', calls: 1, inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWrite5mTokens: 0 },
      ...{ cacheWrite1hTokens: 0, costNano: 1n, priceVersion: 'v1' },
    };
    expect(await here.end(later, { ...ENDED, usage: [bill] })).toMatchObject({ ended: true });
    expect(await here.rows('SELECT 1 FROM runs_default UNION ALL SELECT 1 FROM run_usage_default')).toEqual(
      [],
    );
    expect(await here.rows('SELECT count(*)::int AS waiting FROM usage_pending')).toEqual([{ waiting: 4 }]);
  });

  it('go when all in them is older than it is kept, with their usage and their sums', async () => {
    const usage = [{ model: 'm', input: 1, output: 1, cost: 1_000 }];
    await addRun(here, { at: daysAgo(0), usage });
    await months();
    await addRun(here, { at: daysAgo(398), usage });
    await addRun(here, { at: daysAgo(1), usage });
    await here.app.get(UsageRollups).rollUp();
    expect(await usedIn(daysAgo(600), daysAgo(0))).toMatchObject({ runs: 3 });

    await retention().dropOld();

    expect(await usedIn(daysAgo(600), daysAgo(0))).toMatchObject({ runs: 2, total_cost_usd: 0.000002 });
    for (const table of ['runs', 'run_usage']) {
      expect(await here.rows(`SELECT count(*)::int AS rows FROM ${table}`)).toEqual([{ rows: 2 }]);
    }
    expect(await here.app.get(UsageRollups).rebuild()).toMatchObject({ found: 0 });
  });

  it('go while others write and read, who wait for a moment at most', async () => {
    const key = await here.key();
    await addRun(here, { at: daysAgo(0) });
    await months();
    let dropped = false;
    let ended = 0;
    const writers = Array.from({ length: 3 }, async () => {
      while (!dropped || ended < 30) {
        const opening = here.opening(key, { runId: runIdAt(clock.now()) });
        expect(await here.ledger.admit(opening)).toMatchObject({ verdict: 'admitted' });
        expect(await here.end(opening.runId, ENDED)).toMatchObject({ ended: true });
        ended += 1;
      }
    });
    const reader = (async () => {
      while (!dropped) await usedIn(daysAgo(900), daysAgo(-1));
    })();
    const before = await here.rows("SELECT 1 FROM pg_inherits WHERE inhparent = 'runs'::regclass");
    while (await here.rows('SELECT to_regclass($1) AS there', ['runs_first']).then(([row]) => row.there)) {
      await retention()
        .dropOld()
        .catch((error) => expect(error.message).toContain('lock timeout'));
    }
    dropped = true;
    await Promise.all([...writers, reader]);
    const after = await here.rows("SELECT 1 FROM pg_inherits WHERE inhparent = 'runs'::regclass");
    expect(after.length).toBeLessThan(before.length);
    expect(await here.rows('SELECT count(*)::int AS rows FROM runs')).toEqual([{ rows: ended }]);
  }, 60_000);

  it('are passed over by whoever looks for one run, and cost little where all are looked at', async () => {
    await months();
    const plan = async (sql: string, values: unknown[]) =>
      JSON.stringify(await here.rows(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, values));
    const tables = (text: string) => new Set(text.match(/"Relation Name":"\w+_(first|default|\d+)"/g)).size;
    const id = runIdAt(clock.now());
    expect(tables(await plan('UPDATE runs SET model = model WHERE id = $1', [id]))).toBe(1);
    expect(tables(await plan('SELECT * FROM run_usage WHERE run_id = $1', [id]))).toBe(1);
    expect(
      tables(await plan('SELECT * FROM task_events WHERE task_id = $1', [id.replace('run', 'task')])),
    ).toBe(1);
    for (let n = 0; n < 400; n++) await addRun(here, { at: new Date(clock.now().getTime() - n) });
    await here.rows('ANALYZE runs');
    const open = await plan('SELECT count(*) FROM runs WHERE key_id = $1 AND outcome IS NULL', ['key_1']);
    // None of the 400 is looked at. An empty month has no block to read.
    expect(open.match(/"Rows Removed by Filter":[1-9]/)).toBe(null);
    expect(Number(/"Shared Hit Blocks":(\d+)/.exec(open)![1])).toBeLessThan(10);
  });
});
