import fc from 'fast-check';
import { Prices } from './prices.js';
import { type HoldAsk, type HoldVerdict, RunAccount } from './run-account.js';

const USD = 1_000_000_000n;
const OPUS = 'claude-opus-5-5';
const call = (over = {}) => ({
  ...{ model: OPUS, inputBytes: 2000, maxTokens: 128_000, leastTokens: 1 },
  ...over,
});
const account = (limitNano: bigint) =>
  new RunAccount({
    ...{ limitNano, budgeted: false, prices: new Prices() },
    extend: async ({ mostTokens }) => ({ maxTokens: mostTokens }),
  });
const used = (inputTokens: number | null, outputTokens: number | null) => ({
  ...{ inputTokens, outputTokens },
  ...{ cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 },
});
async function granted(run: RunAccount, asked: Parameters<RunAccount['authorise']>[0]): Promise<number> {
  const verdict = await run.authorise(asked);
  return 'maxTokens' in verdict ? verdict.maxTokens : 0;
}

describe('the account of a run', () => {
  it('lowers max_tokens to what the limit still pays for', async () => {
    // 1,000 prompt tokens at the dearest $8 a million leave $0.092: 4,600 tokens at $20 a million.
    expect(await granted(account(USD / 10n), call())).toBe(4600);
  });

  it('grants what is asked for when it fits', async () => {
    expect(await granted(account(10n * USD), call({ maxTokens: 500 }))).toBe(500);
  });

  it('refuses a call whose prompt alone is too dear', async () => {
    expect(await account(USD / 1000n).authorise(call())).toEqual({ refused: expect.any(String) });
  });

  it('counts calls that are under way against each other', async () => {
    const run = account(USD / 10n);
    expect(await granted(run, call())).toBe(4600);
    expect(await granted(run, call())).toBe(0);
  });

  it('gives back what a call did not use, and all of it when the call failed', async () => {
    const run = account(USD / 10n);
    const first = call({ maxTokens: await granted(run, call()) });
    run.record(first, null);
    const second = call({ maxTokens: await granted(run, call()) });
    run.record(second, used(100, 10));
    expect(second.maxTokens).toBe(4600);
    // 100 at $4 and 10 at $20 a million were spent.
    expect(run.costNano).toBe(600_000n);
    expect(await granted(run, call())).toBe(4570);
  });

  it('keeps what a model reports above its reservation as an overrun', async () => {
    const run = account(USD / 10n);
    const only = call({ maxTokens: await granted(run, call({ maxTokens: 10 })) });
    run.record(only, used(1000, 1_000_000));
    expect(run.overrunNano).toBe(20_004_000_000n - 8_200_000n);
    expect(await granted(run, call())).toBe(0);
  });

  it('knows no cost when a count or a price is missing, and then counts the reservation as spent', async () => {
    const run = account(USD / 10n);
    const only = call({ maxTokens: await granted(run, call()) });
    run.record(only, used(100, null));
    expect(run.usage).toMatchObject([{ inputTokens: 100, outputTokens: null, costNano: null }]);
    expect(run.costNano).toBeNull();
    expect(await granted(run, call())).toBe(0);
  });

  it('adds the calls of one model up in one row', async () => {
    const run = account(USD);
    for (const output of [10, 20]) {
      const one = call({ maxTokens: await granted(run, call({ maxTokens: 100 })) });
      run.record(one, used(100, output));
    }
    expect(run.usage).toMatchObject([{ model: OPUS, calls: 2, inputTokens: 200, outputTokens: 30 }]);
  });

  it('never reserves more than the limit, whatever is asked and however it ends', async () => {
    const calls = fc.record({
      model: fc.constantFrom(OPUS, 'claude-haiku-5-5', 'claude-unknown'),
      inputBytes: fc.integer({ min: 1, max: 400_000 }),
      maxTokens: fc.integer({ min: 1, max: 128_000 }),
      leastTokens: fc.constant(1),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { maxLength: 20 }), async (asked) => {
        const limit = USD / 5n;
        const run = account(limit);
        for (const { share, ...one } of asked) {
          const maxTokens = await granted(run, one);
          if (maxTokens === 0) continue;
          const tokens = used(Math.floor((one.inputBytes / 2) * share), Math.floor(maxTokens * share));
          run.record({ ...one, maxTokens }, tokens);
        }
        expect(run.overrunNano).toBe(0n);
        expect(run.costNano ?? 0n).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('does not ask for less than what is worth a call', async () => {
    const run = account(USD / 10n);
    expect(await granted(run, call({ leastTokens: 4601 }))).toBe(0);
    expect(await granted(run, call({ leastTokens: 4600 }))).toBe(4600);
  });
});

describe('the account of a run that has a budget', () => {
  const asked: HoldAsk[] = [];
  const budgeted = (answer: (ask: HoldAsk) => HoldVerdict) =>
    new RunAccount({
      ...{ limitNano: USD, budgeted: true, prices: new Prices() },
      extend: async (ask) => {
        asked.push(ask);
        return answer(ask);
      },
    });
  beforeEach(() => void (asked.length = 0));

  it('tells before each call what was used and what is on its way', async () => {
    const run = budgeted(({ mostTokens }) => ({ maxTokens: mostTokens }));
    const [first] = [call({ maxTokens: 1000 }), await granted(run, call({ maxTokens: 1000 }))];
    run.record(first, used(100, 10));
    await Promise.all([1, 2].map(() => granted(run, call({ maxTokens: 1000 }))));
    const open = { nano: 28_000_000n, tokens: 2000n };
    expect(asked.map(({ observed, open: reserved }) => [observed, reserved])).toEqual([
      [
        { nano: 0n, tokens: 0n },
        { nano: 0n, tokens: 0n },
      ],
      [
        { nano: 600_000n, tokens: 110n },
        { nano: 0n, tokens: 0n },
      ],
      [{ nano: 600_000n, tokens: 110n }, open],
    ]);
  });

  it('reserves what it was given, which may be less', async () => {
    const run = budgeted(() => ({ maxTokens: 500 }));
    expect(await granted(run, call())).toBe(500);
    expect(run.used).toEqual({ nano: 18_000_000n, tokens: 1500n });
  });

  it('keeps the budget that refused it, until another call is granted', async () => {
    const refused = {
      budget: 'budget_1',
      unit: 'usd',
      limit: 1n,
      remaining: 0n,
      free: 0n,
      resetsAt: null,
    } as const;
    const answers: HoldVerdict[] = [{ refused }, { maxTokens: 300 }];
    const run = budgeted(() => answers.shift()!);
    expect(await run.authorise(call())).toEqual({ refused: expect.stringContaining('budget_1') });
    expect([run.refusal, run.used.nano]).toEqual([refused, 0n]);
    await granted(run, call());
    expect(run.refusal).toBeNull();
  });

  it('makes no call while nobody can say what is left', async () => {
    let isAway = true;
    const run = budgeted(() => {
      if (isAway) throw new Error('no database');
      return { maxTokens: 300 };
    });
    await expect(run.authorise(call())).rejects.toThrow('no database');
    expect([run.used.nano, run.trouble]).toEqual([0n, expect.any(Error)]);
    isAway = false;
    expect(await granted(run, call())).toBe(300);
    expect(run.trouble).toBeNull();
  });

  it('counts a call that told nothing, and one that never came back, as what was reserved', async () => {
    const run = budgeted(() => ({ maxTokens: 500 }));
    const cut = call({ maxTokens: await granted(run, call()) });
    run.record(cut, { ...used(null, null), cacheReadTokens: null });
    await granted(run, call());
    expect(run.used).toEqual({ nano: 36_000_000n, tokens: 3000n });
    expect([run.costNano, run.usage[0]?.outputTokens]).toEqual([null, null]);
  });
});
