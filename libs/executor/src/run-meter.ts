/** A model call that the broker is about to forward. */
export interface ModelCall {
  model: string;
  /** Size of the request body; bounds the input tokens from above. */
  inputBytes: number;
  /** The most output tokens that the call asks for. */
  maxTokens: number;
  /** With fewer the answer would be a fragment: then the call is refused. */
  leastTokens: number;
}

/** Tokens of one model call, as the model's API reported them; `null` = not reported, as of a call that was cut. */
export interface ModelUsage {
  model: string;
  inputTokens: number | null;
  outputTokens: number | null;
  cacheReadTokens: number | null;
  cacheWrite5mTokens: number | null;
  cacheWrite1hTokens: number | null;
}

/**
 * Asked before and told after every model call of a run, subagents included. The executor calls it;
 * whoever knows prices implements it.
 */
export abstract class RunMeter {
  /**
   * `maxTokens` may be lowered to what still fits, not below `leastTokens`; `refused` stops the call before it
   * costs anything. Rejects when nobody can say: then the call is not made either.
   */
  abstract authorise(call: ModelCall): Promise<{ maxTokens: number } | { refused: string }>;
  /**
   * `null` = the model's API did not take the call; what it reserved is given back. A call that it took, and that was
   * cut by whomever, has counts of `null`: it may be charged up to what was reserved.
   */
  abstract record(call: ModelCall, usage: ModelUsage | null): void;
}
