import type { BudgetRefusal } from './allowance.js';
import type { Prices, TokenCounts } from './prices.js';

/** Text is rarely under two bytes a token; what a model reports above this bound is an overrun. */
const BYTES_PER_TOKEN = 2;

interface PricedCall {
  model: string;
  inputBytes: number;
  maxTokens: number;
  /** Fewer are not worth a call. */
  leastTokens: number;
}

/** What one model used during a run. A count is `null` when a call did not report it, never a guess. */
export interface ModelBill extends TokenCounts {
  model: string;
  calls: number;
  /** `null` = no price is known for the model, or a count is missing. */
  costNano: bigint | null;
  priceVersion: string;
}

/** Money in nano-dollars, and tokens of all classes. */
export interface Amounts {
  nano: bigint;
  tokens: bigint;
}

/** What a run's hold has to become: what was used, what is reserved for calls under way, and one call more. */
export interface HoldAsk {
  observed: Amounts;
  open: Amounts;
  input: Amounts;
  perTokenNano: bigint;
  mostTokens: number;
  leastTokens: number;
}

export type HoldVerdict = { maxTokens: number } | { refused: BudgetRefusal } | { ended: true };

interface AccountOptions {
  /** The most that the run may cost, in nano-dollars. */
  limitNano: bigint;
  /** The run has a hold on budgets: every call grows it before. */
  budgeted: boolean;
  prices: Prices;
  /** Writes the hold down. Rejects when the database is away. */
  extend: (ask: HoldAsk) => Promise<HoldVerdict>;
}

const NOTHING: Amounts = { nano: 0n, tokens: 0n };

/**
 * The money of one run. Before each model call it reserves the worst case, in the run's own limit and in every
 * budget, and lowers `max_tokens` to what still fits; after it, it books what was reported. What is reserved never
 * exceeds a limit; what a model reports above its reservation is kept as `overrunNano`, never hidden; a call that
 * reported nothing counts as what was reserved for it. What was used is written down before the next call.
 */
export class RunAccount {
  overrunNano = 0n;
  /** The budget that refused the last call, if one did. */
  refusal: BudgetRefusal | null = null;
  /** Why the last call could not be authorised at all. */
  trouble: unknown = null;
  private reserved = NOTHING;
  private spent = NOTHING;
  private calls = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly bills = new Map<string, ModelBill>();

  constructor(private readonly options: AccountOptions) {}

  /** One at a time: each writes down the total of all. */
  authorise(call: PricedCall): Promise<{ maxTokens: number } | { refused: string }> {
    const verdict = this.turn.then(() => this.reserve(call));
    this.turn = verdict.catch(() => undefined);
    return verdict;
  }

  /** `call` as it was authorised, with the `maxTokens` that it got. `null` = it was not charged for. */
  record(call: PricedCall, usage: TokenCounts | null): void {
    const reserved = this.worstCase(call);
    this.reserved = minus(this.reserved, reserved);
    if (!usage) return;
    const cost = this.options.prices.cost(call.model, usage);
    const tokens = totalOf(usage);
    // Without a price or a count the reservation is all that is known of what was spent.
    const spent = { nano: cost ?? reserved.nano, tokens: tokens ?? reserved.tokens };
    this.spent = plus(this.spent, spent);
    if (spent.nano > reserved.nano) this.overrunNano += spent.nano - reserved.nano;
    this.bills.set(call.model, this.added(call.model, usage, cost));
  }

  /** One row per model, in the order of their first use. */
  get usage(): ModelBill[] {
    return [...this.bills.values()];
  }

  /** The sum of all rows, in nano-dollars; `null` when a part of it is not known. */
  get costNano(): bigint | null {
    return sum(this.usage.map(({ costNano }) => costNano));
  }

  /** What budgets are charged: a call that reported nothing, or never came back, as what was reserved for it. */
  get used(): Amounts {
    return plus(this.spent, this.reserved);
  }

  private async reserve(call: PricedCall): Promise<{ maxTokens: number } | { refused: string }> {
    const { input, perTokenNano } = this.parts(call);
    const left = this.options.limitNano - this.used.nano - input.nano;
    const mostTokens = Math.min(call.maxTokens, left > 0n ? tokensFor(left, perTokenNano) : 0);
    this.refusal = null;
    if (mostTokens < Math.max(1, call.leastTokens)) {
      return { refused: 'the cost limit of the run does not cover another model call' };
    }
    const verdict = await this.held({
      ...{ observed: this.spent, open: this.reserved, input, perTokenNano, mostTokens },
      leastTokens: Math.max(1, call.leastTokens),
    });
    if ('ended' in verdict) return { refused: 'the run was ended elsewhere' };
    if ('refused' in verdict) {
      this.refusal = verdict.refused;
      return {
        refused: `what is left of the budget ${verdict.refused.budget} does not cover another model call`,
      };
    }
    this.calls += 1;
    this.reserved = plus(this.reserved, this.worstCase({ ...call, maxTokens: verdict.maxTokens }));
    return verdict;
  }

  /** A run without budgets has nothing to write before its first call. */
  private async held(ask: HoldAsk): Promise<HoldVerdict> {
    if (!this.options.budgeted && this.calls === 0) return { maxTokens: ask.mostTokens };
    try {
      const verdict = await this.options.extend(ask);
      this.trouble = null;
      return verdict;
    } catch (error) {
      this.trouble = error;
      throw error;
    }
  }

  private parts({ model, inputBytes }: PricedCall): { input: Amounts; perTokenNano: bigint } {
    const tokens = tokensOf(inputBytes);
    const { promptNano, perOutputTokenNano } = this.options.prices.ceiling(model, tokens);
    return { input: { nano: promptNano, tokens: BigInt(tokens) }, perTokenNano: perOutputTokenNano };
  }

  private worstCase(call: PricedCall): Amounts {
    const { input, perTokenNano } = this.parts(call);
    const output = BigInt(call.maxTokens);
    return { nano: input.nano + output * perTokenNano, tokens: input.tokens + output };
  }

  private added(model: string, usage: TokenCounts, cost: bigint | null): ModelBill {
    const bill = this.bills.get(model);
    const both = (count: keyof TokenCounts) => {
      if (!bill) return usage[count];
      return bill[count] === null || usage[count] === null ? null : bill[count] + usage[count];
    };
    return {
      model,
      calls: (bill?.calls ?? 0) + 1,
      inputTokens: both('inputTokens'),
      outputTokens: both('outputTokens'),
      cacheReadTokens: both('cacheReadTokens'),
      cacheWrite5mTokens: both('cacheWrite5mTokens'),
      cacheWrite1hTokens: both('cacheWrite1hTokens'),
      costNano: bill ? sum([bill.costNano, cost]) : cost,
      priceVersion: this.options.prices.version,
    };
  }
}

/** The most tokens that so many bytes can be. */
export function tokensOf(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

function tokensFor(nano: bigint, perTokenNano: bigint): number {
  return perTokenNano === 0n ? Infinity : Number(nano / perTokenNano);
}

function plus(a: Amounts, b: Amounts): Amounts {
  return { nano: a.nano + b.nano, tokens: a.tokens + b.tokens };
}

function minus(a: Amounts, b: Amounts): Amounts {
  return { nano: a.nano - b.nano, tokens: a.tokens - b.tokens };
}

function totalOf(usage: TokenCounts): bigint | null {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage;
  const counts = [inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens];
  return sum(counts.map((count) => (count === null ? null : BigInt(count))));
}

function sum(parts: (bigint | null)[]): bigint | null {
  return parts.reduce<bigint | null>(
    (total, part) => (total === null || part === null ? null : total + part),
    0n,
  );
}
