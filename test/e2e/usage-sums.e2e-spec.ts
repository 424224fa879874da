import { operatorPrincipal } from '@app/auth';
import { Usage, UsageDto, type UsageQuestion, UsageRollups } from '@app/budgets';
import { ENDED, type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { addRun, counted, type OldRun } from '../support/usage-ledger.js';

const HOUR_MS = 3_600_000;
const START = Date.parse('2026-03-20T00:00:00Z');
const SPAN_MS = 20 * 24 * HOUR_MS; // with the days on which clocks are changed
const MODELS = ['claude-haiku-5-5', 'claude-sonnet-5', '=cmd()'];
const ZONES = ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns'];
const GROUPS = ['model', 'day', 'key', 'project'] as const;

describe('the sums of usage', () => {
  let database: TestDatabase;
  let one: LedgerProcess;
  let two: LedgerProcess;

  beforeEach(async () => {
    database = await createTestDatabase();
    [one, two] = await Promise.all([startLedgerProcess(database.url), startLedgerProcess(database.url)]);
  });
  afterEach(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await database.drop();
  });

  const random = (below: number) => Math.floor(Math.random() * below);
  const oneOf = <T>(values: readonly T[]): T => values[random(values.length)]!;
  const maybe = (value: number) => (random(10) === 0 ? null : value);
  const randomRun = (over: Partial<OldRun> = {}): OldRun => ({
    at: new Date(START + random(SPAN_MS)),
    project: oneOf(['p', 'q']),
    keyId: oneOf(['key_1', 'key_2', 'key_3']),
    model: oneOf(MODELS),
    outcome: oneOf(['succeeded', 'failed', null]),
    costKind: oneOf(['billed', 'notional']),
    usage: MODELS.slice(random(4)).map((model) => ({
      model,
      input: maybe(random(1_000)),
      output: maybe(random(1_000)),
      cost: maybe(random(2 ** 40)),
    })),
    ...over,
  });
  const asked = async (question: UsageQuestion) =>
    UsageDto.from(await two.app.get(Usage).managed(operatorPrincipal(), { limit: 1_000, ...question }));

  async function expectExact(): Promise<void> {
    for (let n = 0; n < 12; n++) {
      const from = new Date(START + random(SPAN_MS) - oneOf([0, SPAN_MS]));
      const to = new Date(from.getTime() + 1 + random(SPAN_MS));
      const question = { groupBy: oneOf(GROUPS), timeZone: oneOf(ZONES), project: oneOf(['p', undefined]) };
      const want = await counted(one, { ...question, from, to });
      const got = await asked({ ...question, from: from.toISOString(), to: to.toISOString() });
      const told = got.data.map((row) => [
        row.model ?? row.day ?? row.key_id ?? row.project,
        {
          runs: row.runs,
          unknown: row.unknown_cost_runs,
          calls: row.model_calls,
          output: BigInt(row.output_tokens ?? 0),
          nano: BigInt(Math.round(((row.cost_usd ?? 0) + row.notional_cost_usd) * 1e9)),
        },
      ]);
      expect(Object.fromEntries(told)).toEqual(Object.fromEntries(want));
      expect(got.runs).toBe([...want.values()].reduce((sum, { runs }) => sum + runs, 0));
    }
  }

  it('are what the ledger says, whatever was added up when, in every time zone', async () => {
    const rollups = two.app.get(UsageRollups);
    for (let round = 0; round < 6; round++) {
      for (let n = 0; n < 25; n++) await addRun(one, randomRun());
      // Late endings: of hours that were added up long before.
      await one.rows(
        `UPDATE runs SET outcome = 'timed_out', ended_at = now() WHERE outcome IS NULL AND random() < 0.5`,
      );
      if (round % 3 === 1) await Promise.all([rollups.rollUp(), one.app.get(UsageRollups).rollUp()]);
      if (round % 3 === 2) await rollups.rebuild();
      await expectExact();
    }
    await rollups.rollUp();
    expect(await one.rows('SELECT 1 FROM usage_pending')).toEqual([]);
    expect(await rollups.rebuild()).toMatchObject({ differences: [], found: 0 });
    await expectExact();
  }, 120_000);

  it('are exact at every moment while runs end and both processes add up', async () => {
    const key = await one.key();
    let ended = 0;
    let busy = true;
    const runs = Promise.all(
      [one, two].map(async (process) => {
        for (let n = 0; n < 40; n++) {
          const opening = process.opening(key);
          await process.ledger.admit(opening);
          const usage = [
            {
              ...{ model: opening.model, calls: 1, inputTokens: 1, outputTokens: 1, cacheReadTokens: 0 },
              ...{ cacheWrite5mTokens: 0, cacheWrite1hTokens: 0, costNano: 1_000n, priceVersion: 'v1' },
            },
          ];
          await process.end(opening.runId, { ...ENDED, usage, costNano: 1_000n });
          ended += 1;
        }
      }),
    ).finally(() => (busy = false));
    const adding = Promise.all(
      [one, two].map(async (process) => {
        while (busy) await process.app.get(UsageRollups).rollUp();
      }),
    );
    while (busy) {
      const before = ended;
      const { runs: told, total_cost_usd: cost } = await asked({ period: 'day' });
      expect(told).toBeGreaterThanOrEqual(before);
      expect(told).toBeLessThanOrEqual(ended + 2);
      expect(Math.round(cost! * 1e9)).toBe(told * 1_000);
    }
    await Promise.all([runs, adding]);
    expect(await asked({ period: 'week' })).toMatchObject({
      runs: 80,
      total_cost_usd: 0.00008,
      total_tokens: 160,
    });
  }, 60_000);

  it('lose nothing when a process dies before it has added up, and count nothing twice', async () => {
    const at = new Date('2026-03-21T10:20:00Z');
    await addRun(one, randomRun({ at, outcome: 'succeeded' }));
    await expect(
      one.transactions.run(async () => {
        await one.app.get(UsageRollups).rollUp();
        throw new Error('died');
      }),
    ).rejects.toThrow('died');
    expect(await one.rows('SELECT 1 FROM usage_rollups')).toEqual([]);
    const day = { from: '2026-03-21', to: '2026-03-22' };
    expect(await asked(day)).toMatchObject({ runs: 1 });
    await one.app.get(UsageRollups).rollUp();
    await one.app.get(UsageRollups).rollUp();
    expect(await asked(day)).toMatchObject({ runs: 1 });
  });

  it('tell where they were wrong when they are rebuilt, and are right afterwards', async () => {
    const at = (hour: number) => new Date(Date.parse('2026-03-21T00:10:00Z') + hour * HOUR_MS);
    for (const hour of [1, 2, 30]) await addRun(one, randomRun({ at: at(hour), outcome: 'succeeded' }));
    await one.app.get(UsageRollups).rollUp();
    await one.rows(
      `UPDATE usage_rollups SET calls = calls + 1 WHERE grain = 'hour' AND bucket = '2026-03-21T01:00:00Z'`,
    );
    await one.rows(`DELETE FROM usage_rollups WHERE grain = 'hour' AND bucket = '2026-03-21T02:00:00Z'`);
    await one.rows(
      `INSERT INTO usage_rollups (grain, bucket, project, key_id, model, runs, failed_runs, unknown_cost_runs, calls)
       VALUES ('day', '2026-03-22T00:00:00Z', 'ghost', 'k', 'm', 1, 0, 0, 0)`,
    );
    // One that waits is in no sum, and that is right.
    await addRun(one, randomRun({ at: at(2), outcome: 'succeeded' }));

    const { differences, days } = await two.app.get(UsageRollups).rebuild();

    expect(days).toBe(2);
    const kinds = differences.map(({ grain, stored, computed }) => `${grain} ${!!stored} ${!!computed}`);
    expect(new Set(kinds)).toEqual(new Set(['hour true true', 'hour false true', 'day true false']));
    expect(await two.app.get(UsageRollups).rebuild()).toMatchObject({ found: 0 });
    await expectExact();
  });

  it('say how many costs are unknown, and are null when none is known', async () => {
    const at = new Date('2026-03-21T10:20:00Z');
    const usage = (cost: number | null) => [{ model: 'm', input: 5, output: 5, cost }];
    const day = { from: '2026-03-21', to: '2026-03-22' };
    expect(await asked(day)).toMatchObject({ total_cost_usd: 0, total_tokens: 0, runs: 0, data: [] });
    await addRun(one, { at, usage: usage(null) });
    expect(await asked(day)).toMatchObject({ total_cost_usd: null, unknown_cost_runs: 1, total_tokens: 16 });
    await addRun(one, { at, usage: usage(1) });
    await addRun(one, { at, usage: usage(9_007_199_254_740_991) });
    expect(await asked(day)).toMatchObject({
      total_cost_usd: 9_007_199.254740992,
      unknown_cost_runs: 1,
      runs: 3,
    });
    await addRun(one, { at, usage: usage(7), costKind: 'notional' });
    expect(await asked(day)).toMatchObject({
      total_notional_cost_usd: 7e-9,
      total_cost_usd: 9_007_199.254740992,
    });
  });
});
