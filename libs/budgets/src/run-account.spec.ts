import fc from 'fast-check';
import { RunAccount } from './run-account.js';

const USD = 1_000_000_000n;
const OPUS = 'claude-opus-5-5';
const call = (over = {}) => ({ model: OPUS, inputBytes: 2000, maxTokens: 128_000, ...over });
const used = (inputTokens: number | null, outputTokens: number | null) => ({
  ...{ inputTokens, outputTokens },
  ...{ cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 },
});
async function granted(account: RunAccount, asked: Parameters<RunAccount['authorise']>[0]): Promise<number> {
  const verdict = await account.authorise(asked);
  return 'maxTokens' in verdict ? verdict.maxTokens : 0;
}

describe('the account of a run', () => {
  it('lowers max_tokens to what the limit still pays for', async () => {
    // 1,000 prompt tokens at the dearest $8 a million leave $0.092: 4,600 tokens at $20 a million.
    expect(await granted(new RunAccount(USD / 10n), call())).toBe(4600);
  });

  it('grants what is asked for when it fits', async () => {
    expect(await granted(new RunAccount(10n * USD), call({ maxTokens: 500 }))).toBe(500);
  });

  it('refuses a call whose prompt alone is too dear', async () => {
    expect(await new RunAccount(USD / 1000n).authorise(call())).toEqual({ refused: expect.any(String) });
  });

  it('counts calls that are under way against each other', async () => {
    const account = new RunAccount(USD / 10n);
    expect(await granted(account, call())).toBe(4600);
    expect(await granted(account, call())).toBe(0);
  });

  it('gives back what a call did not use, and all of it when the call failed', async () => {
    const account = new RunAccount(USD / 10n);
    const first = call({ maxTokens: await granted(account, call()) });
    account.record(first, null);
    const second = call({ maxTokens: await granted(account, call()) });
    account.record(second, used(100, 10));
    expect(second.maxTokens).toBe(4600);
    // 100 at $4 and 10 at $20 a million were spent.
    expect(account.costNano).toBe(600_000n);
    expect(await granted(account, call())).toBe(4570);
  });

  it('keeps what a model reports above its reservation as an overrun', async () => {
    const account = new RunAccount(USD / 10n);
    const only = call({ maxTokens: await granted(account, call({ maxTokens: 10 })) });
    account.record(only, used(1000, 1_000_000));
    expect(account.overrunNano).toBe(20_004_000_000n - 8_200_000n);
    expect(await granted(account, call())).toBe(0);
  });

  it('knows no cost when a count or a price is missing, and then counts the reservation as spent', async () => {
    const account = new RunAccount(USD / 10n);
    const only = call({ maxTokens: await granted(account, call()) });
    account.record(only, used(100, null));
    expect(account.usage).toMatchObject([{ inputTokens: 100, outputTokens: null, costNano: null }]);
    expect(account.costNano).toBeNull();
    expect(await granted(account, call())).toBe(0);
  });

  it('adds the calls of one model up in one row', async () => {
    const account = new RunAccount(USD);
    for (const output of [10, 20]) {
      const one = call({ maxTokens: await granted(account, call({ maxTokens: 100 })) });
      account.record(one, used(100, output));
    }
    expect(account.usage).toMatchObject([{ model: OPUS, calls: 2, inputTokens: 200, outputTokens: 30 }]);
  });

  it('never reserves more than the limit, whatever is asked and however it ends', async () => {
    const calls = fc.record({
      model: fc.constantFrom(OPUS, 'claude-haiku-5-5', 'claude-unknown'),
      inputBytes: fc.integer({ min: 1, max: 400_000 }),
      maxTokens: fc.integer({ min: 1, max: 128_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { maxLength: 20 }), async (asked) => {
        const limit = USD / 5n;
        const account = new RunAccount(limit);
        for (const { share, ...one } of asked) {
          const maxTokens = await granted(account, one);
          if (maxTokens === 0) continue;
          const tokens = used(Math.floor((one.inputBytes / 2) * share), Math.floor(maxTokens * share));
          account.record({ ...one, maxTokens }, tokens);
        }
        expect(account.overrunNano).toBe(0n);
        expect(account.costNano ?? 0n).toBeLessThanOrEqual(limit);
      }),
    );
  });
});
