/** A model call that the broker is about to forward. */
export interface ModelCall {
  model: string;
  /** Size of the request body; bounds the input tokens from above. */
  inputBytes: number;
  /** The most output tokens that the call asks for. */
  maxTokens: number;
}

/** Tokens of one finished or cut model call, as the model's API reported them. `null` = not reported. */
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
  /** `maxTokens` may be lowered to what still fits; `refused` stops the call before it costs anything. */
  abstract authorise(call: ModelCall): Promise<{ maxTokens: number } | { refused: string }>;
  /** `null` = the call ended without any usage; what it reserved is given back. */
  abstract record(call: ModelCall, usage: ModelUsage | null): void;
}
