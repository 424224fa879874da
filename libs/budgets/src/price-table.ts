/** USD per million tokens of one class. Every number is a whole count of nano-dollars per token (x 1000). */
export interface Rates {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
}

export interface PriceRow extends Rates {
  /** Every id that means this model. */
  models: readonly string[];
  /** Replaces all rates of a call whose prompt, cached parts included, has more tokens than `aboveTokens`. */
  longPrompt?: Rates & { aboveTokens: number };
}

/** Stored with each usage row. Changes whenever a number below does. */
export const PRICE_VERSION = 'claude-cli-2.1.329';

/** List prices as Claude Code 2.1.329 computes them: `test/e2e/prices.contract.e2e-spec.ts` measures each. */
export const PRICE_TABLE: readonly PriceRow[] = [
  {
    models: ['claude-haiku-5-5'],
    ...{ input: 0.1, output: 0.5, cacheRead: 0.01, cacheWrite5m: 0.125, cacheWrite1h: 0.2 },
    longPrompt: {
      aboveTokens: 100_000,
      ...{ input: 0.5, output: 2.5, cacheRead: 0.05, cacheWrite5m: 0.625, cacheWrite1h: 1 },
    },
  },
  {
    models: ['claude-3-5-haiku-20241022', 'claude-3-5-haiku-latest'],
    ...{ input: 0.8, output: 4, cacheRead: 0.08, cacheWrite5m: 1, cacheWrite1h: 1.6 },
  },
  {
    models: ['claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
    ...{ input: 1, output: 5, cacheRead: 0.1, cacheWrite5m: 1.25, cacheWrite1h: 2 },
  },
  {
    models: ['claude-sonnet-5-5'],
    ...{ input: 2, output: 10, cacheRead: 0.1, cacheWrite5m: 2.5, cacheWrite1h: 4 },
  },
  {
    models: ['claude-sonnet-5'],
    ...{ input: 2, output: 10, cacheRead: 0.2, cacheWrite5m: 2.5, cacheWrite1h: 4 },
  },
  {
    models: [
      'claude-sonnet-4-6',
      'claude-sonnet-4-5',
      'claude-sonnet-4-5-20250929',
      'claude-sonnet-4-0',
      'claude-sonnet-4-20250514',
      'claude-3-7-sonnet-20250219',
      'claude-3-5-sonnet-20241022',
    ],
    ...{ input: 3, output: 15, cacheRead: 0.3, cacheWrite5m: 3.75, cacheWrite1h: 6 },
  },
  {
    models: ['claude-opus-5-5'],
    ...{ input: 4, output: 20, cacheRead: 0.2, cacheWrite5m: 5, cacheWrite1h: 8 },
  },
  {
    models: [
      'claude-opus-5',
      'claude-opus-4-8',
      'claude-opus-4-7',
      'claude-opus-4-6',
      'claude-opus-4-5',
      'claude-opus-4-5-20251101',
    ],
    ...{ input: 5, output: 25, cacheRead: 0.5, cacheWrite5m: 6.25, cacheWrite1h: 10 },
  },
  {
    models: ['claude-opus-4-1', 'claude-opus-4-1-20250805', 'claude-opus-4-0', 'claude-opus-4-20250514'],
    ...{ input: 15, output: 75, cacheRead: 1.5, cacheWrite5m: 18.75, cacheWrite1h: 30 },
  },
];
