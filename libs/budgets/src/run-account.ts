import { ceilingNanoUsd, costNanoUsd, PRICE_VERSION, type TokenCounts } from './prices.js';

/** Text is rarely under two bytes a token; what a model reports above this bound is an overrun. */
const BYTES_PER_TOKEN = 2;

interface PricedCall {
  model: string;
  inputBytes: number;
  maxTokens: number;
}

/** What one model used during a run. A count is `null` when a call did not report it, never a guess. */
export interface ModelBill extends TokenCounts {
  model: string;
  calls: number;
  /** `null` = no price is known for the model, or a count is missing. */
  costNano: bigint | null;
  priceVersion: string;
}

/**
 * The money of one run. Before each model call it reserves the worst case, and lowers `max_tokens` to what
 * still fits under the run's limit; after it, it books what was reported. What is reserved never exceeds the
 * limit; what a model reports above its reservation is kept as `overrunNano`, never hidden.
 */
export class RunAccount {
  overrunNano = 0n;
  private reservedNano = 0n;
  private spentNano = 0n;
  private readonly bills = new Map<string, ModelBill>();

  /** `limitNano`: the most that the run may cost, in nano-dollars. */
  constructor(private readonly limitNano: bigint) {}

  async authorise(call: PricedCall): Promise<{ maxTokens: number } | { refused: string }> {
    const left = this.limitNano - this.reservedNano - this.spentNano;
    const forInput = worstCase({ ...call, maxTokens: 0 });
    const forOutput = left - forInput;
    // Not from the price of a token alone: a long prompt makes every output token dearer.
    const perToken = worstCase({ ...call, maxTokens: 1 }) - forInput;
    const maxTokens = Math.min(call.maxTokens, forOutput > 0n ? Number(forOutput / perToken) : 0);
    if (maxTokens < 1) return { refused: 'the cost limit of the run does not cover another model call' };
    this.reservedNano += worstCase({ ...call, maxTokens });
    return { maxTokens };
  }

  /** `call` as it was authorised, with the `maxTokens` that it got. */
  record(call: PricedCall, usage: TokenCounts | null): void {
    const reserved = worstCase(call);
    this.reservedNano -= reserved;
    if (!usage) return;
    const cost = costNanoUsd(call.model, usage);
    // Without a price or a count the reservation is all that is known of what was spent.
    const spent = cost ?? reserved;
    this.spentNano += spent;
    if (spent > reserved) this.overrunNano += spent - reserved;
    this.bills.set(call.model, added(this.bills.get(call.model), call.model, usage, cost));
  }

  /** One row per model, in the order of their first use. */
  get usage(): ModelBill[] {
    return [...this.bills.values()];
  }

  /** The sum of all rows, in nano-dollars; `null` when a part of it is not known. */
  get costNano(): bigint | null {
    return sum(this.usage.map(({ costNano }) => costNano));
  }
}

function worstCase(call: PricedCall): bigint {
  const input = Math.ceil(call.inputBytes / BYTES_PER_TOKEN);
  return ceilingNanoUsd(call.model, { input, output: call.maxTokens });
}

function added(
  bill: ModelBill | undefined,
  model: string,
  usage: TokenCounts,
  cost: bigint | null,
): ModelBill {
  const plus = (count: keyof TokenCounts) => {
    if (!bill) return usage[count];
    return bill[count] === null || usage[count] === null ? null : bill[count] + usage[count];
  };
  return {
    model,
    calls: (bill?.calls ?? 0) + 1,
    inputTokens: plus('inputTokens'),
    outputTokens: plus('outputTokens'),
    cacheReadTokens: plus('cacheReadTokens'),
    cacheWrite5mTokens: plus('cacheWrite5mTokens'),
    cacheWrite1hTokens: plus('cacheWrite1hTokens'),
    costNano: bill ? sum([bill.costNano, cost]) : cost,
    priceVersion: PRICE_VERSION,
  };
}

function sum(parts: (bigint | null)[]): bigint | null {
  return parts.reduce<bigint | null>(
    (total, part) => (total === null || part === null ? null : total + part),
    0n,
  );
}
