import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '@app/config';
import type { PriceRow, Rates } from './price-table.js';
import { BUILT_IN_PRICES, type PriceList } from './prices.js';

/** Whole nano-dollars per token: sums stay exact. No call is so dear that its price would not fit. */
const rate = z
  .number()
  .min(0)
  .max(1_000_000)
  .refine((usd) => Math.abs(usd * 1000 - Math.round(usd * 1000)) < 1e-6, 'has more than three decimals');
const rates = z.strictObject({
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
});
const file = z.strictObject({
  version: z.string().min(1).max(100),
  prices: z
    .array(
      rates.extend({
        models: z.array(z.string().min(1).max(200)).min(1),
        long_prompt: rates.extend({ above_tokens: z.int().min(1) }).optional(),
      }),
    )
    .min(1),
});

/**
 * The prices in force: the built-in ones, and before them those of the operator's file, whose models may be new or
 * replace built-in ones. Throws a `ConfigError` of one line that says what is wrong with the file.
 */
export function pricesFrom(path: string | undefined): PriceList {
  if (path === undefined) return BUILT_IN_PRICES;
  const { version, prices } = parsed(path);
  const own = prices.map(({ models, long_prompt: long, ...row }): PriceRow => {
    const longPrompt = long && { aboveTokens: long.above_tokens, ...ratesOf(long) };
    return { models, ...ratesOf(row), ...(longPrompt ? { longPrompt } : {}) };
  });
  const named = own.flatMap(({ models }) => models);
  const twice = named.find((model, index) => named.indexOf(model) !== index);
  if (twice !== undefined) throw new ConfigError(`PRICES_FILE: ${path} prices ${twice} twice`);
  const rest = BUILT_IN_PRICES.rows.map((row) => ({
    ...row,
    models: row.models.filter((model) => !named.includes(model)),
  }));
  return { version, rows: [...own, ...rest.filter(({ models }) => models.length > 0)] };
}

function parsed(path: string): z.infer<typeof file> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`PRICES_FILE: ${path} cannot be read as JSON (${(error as Error).message})`);
  }
  const result = file.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConfigError(`PRICES_FILE: ${path}: ${issue!.path.join('.') || 'the file'}: ${issue!.message}`);
}

function ratesOf(row: z.infer<typeof rates>): Rates {
  return {
    input: row.input,
    output: row.output,
    cacheRead: row.cache_read,
    cacheWrite5m: row.cache_write_5m,
    cacheWrite1h: row.cache_write_1h,
  };
}
