import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pricesFrom } from './price-file.js';
import { Prices } from './prices.js';

const RATES = { input: 7, output: 9, cache_read: 0.5, cache_write_5m: 8, cache_write_1h: 8.125 };
const ONE_IN = {
  ...{ inputTokens: 1, outputTokens: 0, cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 },
};

describe('a file of prices', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prices-'));
  const path = join(folder, 'prices.json');
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (content: unknown) => {
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return new Prices(pricesFrom(path));
  };

  it('adds models and replaces those that are built in; the others stay', () => {
    const prices = read({
      version: 'ours-3',
      prices: [
        { models: ['gateway-model'], ...RATES },
        { models: ['claude-opus-5-5'], ...RATES, long_prompt: { above_tokens: 10, ...RATES, input: 70 } },
      ],
    });
    expect(prices.version).toBe('ours-3');
    expect(prices.cost('gateway-model', ONE_IN)).toBe(7_000n);
    expect(prices.cost('claude-opus-5-5', ONE_IN)).toBe(7_000n);
    expect(prices.cost('claude-opus-5-5', { ...ONE_IN, inputTokens: 11 })).toBe(770_000n);
    expect(prices.cost('claude-sonnet-5-5', ONE_IN)).toBe(2_000n);
    // A model without a price is reserved as the dearest of all in both of its parts.
    expect(prices.ceiling('unknown', 1)).toEqual({ promptNano: 30_000n, perOutputTokenNano: 75_000n });
  });

  it.each([
    ['cannot be read as JSON', '{'],
    ['version', { prices: [{ models: ['a'], ...RATES }] }],
    ['prices.0.output', { version: '1', prices: [{ models: ['a'], ...RATES, output: -1 }] }],
    ['three decimals', { version: '1', prices: [{ models: ['a'], ...RATES, input: 0.0001 }] }],
    ['prices a twice', { version: '1', prices: [{ models: ['a', 'a'], ...RATES }] }],
    ['prices.0', { version: '1', prices: [{ models: ['a'], ...RATES, inputs: 1 }] }],
  ])('that is wrong is refused in one line: %s', (what, content) => {
    expect(() => read(content)).toThrow(what);
    expect(() => read(content)).toThrow(/^PRICES_FILE: [^\n]*$/);
  });
});
