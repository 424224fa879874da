import { PRICE_TABLE, type PriceRow, type Rates } from './price-table.js';

export { PRICE_VERSION } from './price-table.js';

/** What one model call reported; `null` = it did not say. The four prompt classes do not overlap. */
export interface TokenCounts {
  inputTokens: number | null;
  outputTokens: number | null;
  cacheReadTokens: number | null;
  cacheWrite5mTokens: number | null;
  cacheWrite1hTokens: number | null;
}

const ROW_OF = new Map(PRICE_TABLE.flatMap((row) => row.models.map((model) => [model, row] as const)));

/**
 * The price of one model call in nano-dollars, exact. `null` when the model has no price or a count is
 * missing. Call by call: a long prompt changes the rates of its own call only, so the tokens of several calls
 * must not be added up first.
 */
export function costNanoUsd(model: string, tokens: TokenCounts): bigint | null {
  const row = ROW_OF.get(model);
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = tokens;
  if (
    row === undefined ||
    inputTokens === null ||
    outputTokens === null ||
    cacheReadTokens === null ||
    cacheWrite5mTokens === null ||
    cacheWrite1hTokens === null
  ) {
    return null;
  }
  const rates = ratesFor(row, inputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens);
  return (
    price(inputTokens, rates.input) +
    price(outputTokens, rates.output) +
    price(cacheReadTokens, rates.cacheRead) +
    price(cacheWrite5mTokens, rates.cacheWrite5m) +
    price(cacheWrite1hTokens, rates.cacheWrite1h)
  );
}

/**
 * The most that one call with this many prompt and output tokens can cost, in nano-dollars; for reservations.
 * Every prompt token counts as its dearest class; a model without a price counts as the dearest of the table.
 * The step to a long prompt's rates is in it: not linear in `input`.
 */
export function ceilingNanoUsd(model: string, tokens: { input: number; output: number }): bigint {
  const row = ROW_OF.get(model);
  const ceilings = (row ? [row] : PRICE_TABLE).map((candidate) => {
    const rates = ratesFor(candidate, tokens.input);
    const dearest = Math.max(rates.input, rates.cacheRead, rates.cacheWrite5m, rates.cacheWrite1h);
    return price(tokens.input, dearest) + price(tokens.output, rates.output);
  });
  return ceilings.reduce((most, ceiling) => (ceiling > most ? ceiling : most));
}

function ratesFor(row: PriceRow, promptTokens: number): Rates {
  return row.longPrompt && promptTokens > row.longPrompt.aboveTokens ? row.longPrompt : row;
}

/** USD per million tokens is a thousandth of nano-dollars per token. */
function price(tokens: number, usdPerMillion: number): bigint {
  return BigInt(tokens) * BigInt(Math.round(usdPerMillion * 1000));
}
