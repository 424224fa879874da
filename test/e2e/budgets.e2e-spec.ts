import { type LedgerProcess, ENDED, startLedgerProcess } from '../support/ledger-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import type { HoldAsk } from '../../libs/budgets/src/run-account.js';

const NONE = { nano: 0n, tokens: 0n };
/** One model call more: 100 nano-dollars for its prompt, 1 for each token of output. */
const ask = (over: Partial<HoldAsk> = {}): HoldAsk => ({
  ...{ observed: NONE, open: NONE, input: { nano: 100n, tokens: 100n }, perTokenNano: 1n },
  ...{ mostTokens: 900, leastTokens: 256, ...over },
});
const used = (nano: bigint, tokens = 0n) => ({ ...ENDED, costNano: nano, used: { nano, tokens } });

describe('budgets', () => {
  let database: TestDatabase;
  let processes: LedgerProcess[];
  let one: LedgerProcess;
  let key: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    processes = await Promise.all([1, 2].map(() => startLedgerProcess(database.url)));
    one = processes[0]!;
  });
  beforeEach(async () => {
    await one.rows('UPDATE budgets SET removed_at = now()');
    key = await one.key();
  });
  afterAll(async () => {
    for (const process of processes) await process.stop();
    await database.drop();
  });

  async function admitted(over = {}): Promise<string> {
    const opening = one.opening(key, over);
    expect(await one.ledger.admit(opening)).toMatchObject({ verdict: 'admitted' });
    return opening.runId;
  }
  const windows = (...budgets: string[]) => Promise.all(budgets.map((budget) => one.window(budget)));

  it('hold what a run may use and keep what it used, in every unit', async () => {
    const usd = await one.budget({ project: 'p', keyId: key, limit: 10_000 });
    const tokens = await one.budget({ project: 'p', unit: 'tokens', limit: 5_000 });
    const requests = await one.budget({ project: 'p', unit: 'requests', limit: 3 });
    const run = await admitted();
    expect(await windows(usd, tokens, requests)).toMatchObject([{ held: 1_000 }, { held: 10 }, { held: 1 }]);
    expect(await one.ledger.extend(run, ask())).toEqual({ maxTokens: 900 });
    expect(await windows(usd, tokens, requests)).toMatchObject([
      { held: 1_000 },
      { held: 1_000 },
      { held: 1 },
    ]);
    const observed = { nano: 300n, tokens: 40n };
    expect(await one.ledger.extend(run, ask({ observed }))).toEqual({ maxTokens: 900 });
    expect(await windows(usd, tokens)).toMatchObject([{ held: 1_300 }, { held: 1_040 }]);
    await one.end(run, used(777n, 66n));
    expect(await windows(usd, tokens, requests)).toEqual([
      { limit: 10_000, held: 0, settled: 777, overrun: 0 },
      { limit: 5_000, held: 0, settled: 66, overrun: 0 },
      { limit: 3, held: 0, settled: 1, overrun: 0 },
    ]);
  });

  it('are the key’s own and its project’s: others are not touched', async () => {
    const [mine, projects, others] = await Promise.all([
      one.budget({ project: 'p', keyId: key, limit: 5_000 }),
      one.budget({ project: 'p', limit: 5_000 }),
      one.budget({ project: 'p', keyId: await one.key(), limit: 5_000 }),
    ]);
    await admitted();
    expect(await windows(mine, projects, others)).toMatchObject([
      { held: 1_000 },
      { held: 1_000 },
      undefined,
    ]);
  });

  it('refuse a run whose first call they do not pay for, and then nothing is left behind', async () => {
    const project = await one.budget({ project: 'p', limit: 5_000 });
    const own = await one.budget({ project: 'p', keyId: key, limit: 999, period: 'total' });
    const opening = one.opening(key, { requestsPerMinute: 60 });
    expect(await one.ledger.admit(opening)).toEqual({
      verdict: 'budget',
      refusal: { budget: own, unit: 'usd', limit: 999n, remaining: 999n, free: 999n, resetsAt: null },
    });
    expect(await one.window(project)).toMatchObject({ held: 0 });
    expect(await one.rows('SELECT 1 FROM runs WHERE id = $1', [opening.runId])).toEqual([]);
    await one.rows('UPDATE budgets SET removed_at = now() WHERE id = $1', [own]);
    // The rate that the refused one had taken is there again.
    expect(await one.ledger.admit(one.opening(key, { requestsPerMinute: 60 }))).toMatchObject({
      allowance: { rate: { limit: 60, remaining: 59 }, budgetRemainingNano: 4_000n },
    });
  });

  it('lower a call to what is left, and refuse one that would be a fragment', async () => {
    await one.budget({ project: 'p', keyId: key, limit: 1_400 });
    const run = await admitted();
    const first = await one.ledger.extend(run, ask({ mostTokens: 9_000 }));
    expect(first).toEqual({ maxTokens: 1_300 });
    const next = ask({ observed: { nano: 1_045n, tokens: 0n } });
    expect(await one.ledger.extend(run, next)).toMatchObject({ refused: { remaining: 0n, free: 1_400n } });
    // What was used is written down all the same, and what the first call did not use is free.
    expect(await one.rows('SELECT observed_nano, held_nano FROM runs WHERE id = $1', [run])).toEqual([
      { observed_nano: '1045', held_nano: '1045' },
    ]);
    expect(await one.ledger.extend(run, { ...next, leastTokens: 255 })).toEqual({ maxTokens: 255 });
  });

  it('leave room for others: a large call takes a sixteenth of what is left', async () => {
    await one.budget({ project: 'p', keyId: key, limit: 20_000_000 });
    const wants = ask({ mostTokens: 5_000_000 });
    const granted: number[] = [];
    for (let run = 0; run < 30; run++) {
      const verdict = await one.ledger.extend(await admitted(), wants);
      granted.push('maxTokens' in verdict ? verdict.maxTokens : 0);
    }
    expect(Math.min(...granted)).toBeGreaterThan(100_000);
    expect(granted[0]).toBeLessThanOrEqual(1_250_000);
  });

  it('never give out more than there is, whoever asks from wherever at the same moment', async () => {
    const own = await one.budget({ project: 'p', keyId: key, limit: 20_000 });
    const all = await one.budget({ project: 'p', limit: 15_000 });
    let admittedRuns = 0;
    const clients = Array.from({ length: 40 }, async (_, client) => {
      const { ledger, opening, end } = processes[client % 2]!;
      for (let turn = 0; turn < 5; turn++) {
        const run = opening(key);
        const admission = await ledger.admit(run);
        if (admission.verdict !== 'admitted') continue;
        admittedRuns += 1;
        const call = await ledger.extend(run.runId, ask());
        const nano = 'maxTokens' in call ? BigInt(Math.ceil(call.maxTokens / 3)) + 100n : 0n;
        await end(run.runId, used(nano));
      }
    });
    await Promise.all(clients);
    const [mine, ours] = await windows(own, all);
    expect(mine).toMatchObject({ held: 0, overrun: 0, settled: ours!.settled });
    expect(ours!.settled).toBeLessThanOrEqual(15_000);
    expect(ours!.settled).toBeGreaterThan(13_000);
    expect(admittedRuns).toBeGreaterThan(30);
    const [sum] = await one.rows('SELECT sum(settled_nano)::int AS sum FROM runs WHERE key_id = $1', [key]);
    expect(sum.sum).toBe(ours!.settled);
  });

  it('keep what a model used above all that was held apart, and count it', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 5_000 });
    const run = await admitted();
    const news = await one.end(run, used(4_500n));
    expect(await one.window(budget)).toMatchObject({ held: 0, settled: 1_000, overrun: 3_500 });
    expect(news).toMatchObject({ overruns: [{ budget, unit: 'usd', amount: '3500' }] });
    expect(await one.ledger.admit(one.opening(key))).toMatchObject({ refusal: { remaining: 500n } });
  });

  it('take what a lost run had used and reserved, and nothing for one that never made a call', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 50_000 });
    const [called, idle] = [await admitted(), await admitted()];
    await one.ledger.extend(called, ask({ observed: { nano: 300n, tokens: 3n } }));
    for (const run of [called, idle]) {
      await one.end(run, { ...ENDED, outcome: 'failed', usage: null, costNano: null, used: null });
    }
    expect(await one.window(budget)).toMatchObject({ held: 0, settled: 1_300 });
    const settled = await one.rows(
      'SELECT settled_nano, settled_tokens, cost_nano FROM runs WHERE key_id = $1 ORDER BY id',
      [key],
    );
    expect(settled).toEqual([
      { settled_nano: '1300', settled_tokens: '1003', cost_nano: null },
      { settled_nano: '0', settled_tokens: '0', cost_nano: null },
    ]);
  });

  it('settle a run once, and give one that has ended nothing more', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 50_000 });
    const run = await admitted();
    const ends = await Promise.all(processes.map(({ end }) => end(run, used(500n))));
    expect(ends.filter((news) => news !== null)).toHaveLength(1);
    expect(await one.ledger.extend(run, ask())).toEqual({ ended: true });
    expect(await one.window(budget)).toMatchObject({ held: 0, settled: 500 });
  });

  it('tell of each threshold exactly once in a window, however many runs end at that moment', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 40_000 });
    const runs = await Promise.all(Array.from({ length: 40 }, () => admitted()));
    const news = await Promise.all(runs.map((run, index) => processes[index % 2]!.end(run, used(1_000n))));
    const told = news.flatMap((one_) => one_!.alerts.map(({ pct }) => pct));
    expect(told.sort((a, b) => a - b)).toEqual([50, 80, 95, 100]);
    expect(
      await one.rows('SELECT pct FROM budget_alerts WHERE budget_id = $1 ORDER BY pct', [budget]),
    ).toHaveLength(4);
  });

  it('stay with the window in which a run began', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 5_000, period: 'day' });
    const run = await admitted();
    await one.rows(`UPDATE runs SET window_starts = '{2020-02-02T00:00Z}' WHERE id = $1`, [run]);
    await one.rows(
      `UPDATE budget_windows SET starts_at = '2020-02-02T00:00Z', ends_at = '2020-02-03T00:00Z' WHERE budget_id = $1`,
      [budget],
    );
    expect(await one.ledger.extend(run, ask())).toEqual({ maxTokens: 900 });
    await admitted();
    await one.end(run, used(600n));
    const rows = await one.rows(
      'SELECT held_n, settled_n FROM budget_windows WHERE budget_id = $1 ORDER BY starts_at',
      [budget],
    );
    expect(rows).toEqual([
      { held_n: '0', settled_n: '600' },
      { held_n: '1000', settled_n: '0' },
    ]);
  });

  it('hold by the schema itself: no write brings a window above its limit', async () => {
    const budget = await one.budget({ project: 'p', keyId: key, limit: 1_000 });
    await admitted();
    for (const change of ['held_n = held_n + 1', 'held_n = -1', 'settled_n = 1', 'limit_n = 999']) {
      const write = one.rows(`UPDATE budget_windows SET ${change} WHERE budget_id = $1`, [budget]);
      await expect(write).rejects.toThrow('check constraint');
    }
  });
});

describe('the rate of a key', () => {
  let database: TestDatabase;
  let processes: LedgerProcess[];
  beforeAll(async () => {
    database = await createTestDatabase();
    processes = await Promise.all([1, 2].map(() => startLedgerProcess(database.url)));
  });
  afterAll(async () => {
    for (const process of processes) await process.stop();
    await database.drop();
  });

  it.each([1, 7, 9, 100])(
    'lets %i through at once and not one more, from wherever they come',
    async (limit) => {
      const [one] = processes as [LedgerProcess];
      const key = await one.key();
      // What comes back while this runs is no part of the question.
      await one.rows(`INSERT INTO rate_buckets VALUES ($1, now() - interval '1 hour')`, [key]);
      const asked = Array.from({ length: limit + 50 }, (_, i) => {
        const { ledger, opening } = processes[i % 2]!;
        return i % 3
          ? ledger.admit(opening(key, { requestsPerMinute: limit }))
          : ledger.checkAllowance('p', key, limit);
      });
      const startedAt = performance.now();
      const verdicts = (await Promise.all(asked)).map(({ verdict }) => verdict);
      const cameBack = Math.ceil(((performance.now() - startedAt) / 60_000) * limit);
      const taken = verdicts.filter((verdict) => verdict === 'admitted').length;
      expect(taken).toBeGreaterThanOrEqual(limit);
      expect(taken).toBeLessThanOrEqual(limit + cameBack);
      expect(verdicts.filter((verdict) => verdict === 'rate')).toHaveLength(limit + 50 - taken);
    },
  );

  it('says to the millisecond when the next one may come, and what is left', async () => {
    const [one] = processes as [LedgerProcess];
    const key = await one.key();
    const take = () => one.ledger.checkAllowance('p', key, 60);
    const first = await take();
    expect(first).toMatchObject({ allowance: { rate: { limit: 60, remaining: 59 } } });
    // As if 59.4 of the 60 had been used at this moment.
    await one.rows(`UPDATE rate_buckets SET full_at = clock_timestamp() + interval '59.4 seconds'`);
    const denied = await take();
    expect(denied).toMatchObject({ verdict: 'rate', rate: { limit: 60, remaining: 0 } });
    const { retryAfterSeconds } = denied as { retryAfterSeconds: number };
    expect(retryAfterSeconds).toBeGreaterThan(0.2);
    expect(retryAfterSeconds).toBeLessThanOrEqual(0.4);
    await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1000 + 1));
    expect(await take()).toMatchObject({ verdict: 'admitted' });
  });
});

describe('the window of a budget', () => {
  let database: TestDatabase;
  let process: LedgerProcess;
  beforeAll(async () => {
    database = await createTestDatabase();
    process = await startLedgerProcess(database.url);
  });
  afterAll(async () => {
    await process.stop();
    await database.drop();
  });

  async function windowAt(period: string, zone: string, at: string): Promise<string[]> {
    const [row] = await process.rows(
      `SELECT to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI') AS a,
              to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI') AS b FROM budget_window_at($1, $2, $3)`,
      [period, zone, at],
    );
    return [row.a, row.b];
  }

  it.each([
    ['a day', 'day', 'UTC', '2026-03-01T23:59:59Z', '2026-03-01T00:00', '2026-03-02T00:00'],
    ['its first moment', 'day', 'UTC', '2026-03-01T00:00:00Z', '2026-03-01T00:00', '2026-03-02T00:00'],
    ['a day elsewhere', 'day', 'Asia/Tokyo', '2026-03-01T15:00:00Z', '2026-03-01T15:00', '2026-03-02T15:00'],
    [
      'a day of 23 hours',
      'day',
      'Europe/Berlin',
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00',
      '2026-03-29T22:00',
    ],
    [
      'a day of 25 hours',
      'day',
      'Europe/Berlin',
      '2026-10-25T12:00:00Z',
      '2026-10-24T22:00',
      '2026-10-25T23:00',
    ],
    ['a week, from Monday', 'week', 'UTC', '2026-03-01T12:00:00Z', '2026-02-23T00:00', '2026-03-02T00:00'],
    [
      'a month over a change of clocks',
      'month',
      'America/New_York',
      '2026-03-20T12:00:00Z',
      '2026-03-01T05:00',
      '2026-04-01T04:00',
    ],
    [
      'February of a leap year',
      'month',
      'UTC',
      '2028-02-29T12:00:00Z',
      '2028-02-01T00:00',
      '2028-03-01T00:00',
    ],
    [
      'a day without a midnight',
      'day',
      'Africa/Cairo',
      '2026-04-24T12:00:00Z',
      '2026-04-23T22:00',
      '2026-04-24T21:00',
    ],
  ])('is %s', async (_, period, zone, at, starts, ends) => {
    expect(await windowAt(period, zone, at)).toEqual([starts, ends]);
  });

  it('has every moment in exactly one of them, where midnight comes twice too', async () => {
    const rows = await process.rows(
      `SELECT zone, at, w.starts_at <= at AND at < w.ends_at AS within,
              lag(w.ends_at) OVER (PARTITION BY zone ORDER BY at) AS before, w.starts_at, w.ends_at
         FROM unnest('{America/Havana, Europe/Berlin, Africa/Cairo, Asia/Kolkata, Pacific/Apia}'::text[]) AS zone,
              generate_series('2026-01-01'::timestamptz, '2026-12-31', '30 minutes') AS at,
              LATERAL budget_window_at('day', zone, at) AS w`,
    );
    expect(rows.length).toBeGreaterThan(80_000);
    expect(rows.filter(({ within }) => !within)).toEqual([]);
    const torn = rows.filter(
      ({ before, starts_at: start, ends_at: end }) => before && +before !== +start && +before !== +end,
    );
    expect(torn).toEqual([]);
  });

  it('of a total has no end', async () => {
    const [row] = await process.rows(
      `SELECT ends_at = 'infinity' AS endless FROM budget_window_at('total', 'UTC', now())`,
    );
    expect(row.endless).toBe(true);
  });
});
