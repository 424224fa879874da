import { CURRENT_MODELS, modelFamily } from '@app/common';
import { PRICE_TABLE, type Rates } from './price-table.js';
import { Prices, type TokenCounts } from './prices.js';

const prices = new Prices();
const costNanoUsd = prices.cost.bind(prices);
const ceilingNanoUsd = (model: string, { input, output }: { input: number; output: number }) => {
  const { promptNano, perOutputTokenNano } = prices.ceiling(model, input);
  return promptNano + perOutputTokenNano * BigInt(output);
};

const NONE: TokenCounts = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
};

describe('the price of a model call', () => {
  it.each([
    ['haiku, 12 in and 7 out', 'claude-haiku-5-5', { inputTokens: 12, outputTokens: 7 }, 4_700n],
    ['sonnet, read from the cache', 'claude-sonnet-5-5', { cacheReadTokens: 1_000_000 }, 100_000_000n],
    ['opus, written for an hour', 'claude-opus-5-5', { cacheWrite1hTokens: 3 }, 24_000n],
    ['an older model by its dated id', 'claude-haiku-4-5-20251001', { cacheWrite5mTokens: 1 }, 1_250n],
    ['a prompt of exactly 100,000 tokens', 'claude-haiku-5-5', { inputTokens: 100_000 }, 10_000_000n],
    ['one token more', 'claude-haiku-5-5', { inputTokens: 100_001 }, 50_000_500n],
    [
      'a prompt that is long with its cached parts, output included',
      'claude-haiku-5-5',
      { inputTokens: 1, cacheReadTokens: 60_000, cacheWrite5mTokens: 40_000, outputTokens: 10 },
      28_025_500n,
    ],
    ['long output only', 'claude-haiku-5-5', { outputTokens: 120_000 }, 60_000_000n],
  ])('is exact: %s', (_, model, tokens, nano) => {
    expect(costNanoUsd(model, { ...NONE, ...tokens })).toBe(nano);
  });

  it('is not known for a model that has no price, however close its name', () => {
    for (const model of ['claude-haiku-6', 'claude-sonnet-5-6', 'haiku', 'claude-haiku-5-5-20301231', '']) {
      expect(costNanoUsd(model, { ...NONE, inputTokens: 1 })).toBeNull();
    }
  });

  it('is not known when a count is missing', () => {
    expect(costNanoUsd('claude-haiku-5-5', { ...NONE, cacheReadTokens: null })).toBeNull();
  });
});

describe('the ceiling of a reservation', () => {
  it('covers the call whatever part of the prompt is cached', () => {
    for (const model of PRICE_TABLE.flatMap((row) => row.models)) {
      for (const prompt of [1, 99_999, 100_000, 100_001, 900_000]) {
        const ceiling = ceilingNanoUsd(model, { input: prompt, output: 1_000 });
        for (const part of ['inputTokens', 'cacheReadTokens', 'cacheWrite5mTokens', 'cacheWrite1hTokens']) {
          const cost = costNanoUsd(model, { ...NONE, outputTokens: 1_000, [part]: prompt });
          expect(cost! <= ceiling).toBe(true);
        }
      }
    }
  });

  it('of an unknown model is that of the dearest one', () => {
    const tokens = { input: 1_000, output: 1_000 };
    const dearest = ceilingNanoUsd('claude-opus-4-1', tokens);
    expect(ceilingNanoUsd('claude-opus-9', tokens)).toBe(dearest);
    expect(dearest).toBe(105_000_000n);
  });
});

describe('the price table', () => {
  const rates = (row: Rates) => [row.input, row.output, row.cacheRead, row.cacheWrite5m, row.cacheWrite1h];

  it('holds only whole nano-dollars per token', () => {
    for (const row of PRICE_TABLE) {
      for (const rate of [...rates(row), ...(row.longPrompt ? rates(row.longPrompt) : [])]) {
        expect(Math.abs(rate * 1000 - Math.round(rate * 1000))).toBeLessThan(1e-9);
        expect(rate).toBeGreaterThan(0);
      }
    }
  });

  it('prices every current model, and names no model twice or outside the families', () => {
    const models = PRICE_TABLE.flatMap((row) => row.models);
    expect(models).toEqual(expect.arrayContaining(Object.values(CURRENT_MODELS)));
    expect(new Set(models).size).toBe(models.length);
    expect(models.filter((model) => modelFamily(model) === undefined)).toEqual([]);
  });
});
