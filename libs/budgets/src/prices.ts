import { PRICE_TABLE, PRICE_VERSION, type PriceRow, type Rates } from './price-table.js';

/** What one model call reported; `null` = it did not say. The four prompt classes do not overlap. */
export interface TokenCounts {
  inputTokens: number | null;
  outputTokens: number | null;
  cacheReadTokens: number | null;
  cacheWrite5mTokens: number | null;
  cacheWrite1hTokens: number | null;
}

/** What prices are taken from: every model at most once. */
export interface PriceList {
  /** Stored with each usage row. */
  version: string;
  rows: readonly PriceRow[];
}

export const BUILT_IN_PRICES: PriceList = { version: PRICE_VERSION, rows: PRICE_TABLE };

/** Tells what model calls cost, in whole nano-dollars. A model that has no price is never guessed. */
export class Prices {
  readonly version: string;
  private readonly rowOf: ReadonlyMap<string, PriceRow>;

  constructor(private readonly list: PriceList = BUILT_IN_PRICES) {
    this.version = list.version;
    this.rowOf = new Map(list.rows.flatMap((row) => row.models.map((model) => [model, row] as const)));
  }

  knows(model: string): boolean {
    return this.rowOf.has(model);
  }

  /**
   * The price of one model call, exact. `null` when the model has no price or a count is missing. Call by call: a
   * long prompt changes the rates of its own call only, so the tokens of several calls must not be added up first.
   */
  cost(model: string, tokens: TokenCounts): bigint | null {
    const row = this.rowOf.get(model);
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
   * The most that a call with so many prompt tokens can cost: for its prompt, and for each token of output. Every
   * prompt token counts as its dearest class; a model without a price counts as the dearest of all in both. The
   * step to a long prompt's rates is in it.
   */
  ceiling(model: string, promptTokens: number): { promptNano: bigint; perOutputTokenNano: bigint } {
    const row = this.rowOf.get(model);
    const rates = (row ? [row] : this.list.rows).map((candidate) => ratesFor(candidate, promptTokens));
    const dearest = Math.max(
      ...rates.flatMap((rate) => [rate.input, rate.cacheRead, rate.cacheWrite5m, rate.cacheWrite1h]),
    );
    return {
      promptNano: price(promptTokens, dearest),
      perOutputTokenNano: price(1, Math.max(...rates.map(({ output }) => output))),
    };
  }
}

function ratesFor(row: PriceRow, promptTokens: number): Rates {
  return row.longPrompt && promptTokens > row.longPrompt.aboveTokens ? row.longPrompt : row;
}

/** USD per million tokens is a thousandth of nano-dollars per token. */
function price(tokens: number, usdPerMillion: number): bigint {
  return BigInt(tokens) * BigInt(Math.round(usdPerMillion * 1000));
}
