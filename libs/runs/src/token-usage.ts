import type { ModelBill } from '@app/budgets';

/** Tokens over all models of a run; a figure is null as soon as one part of it is not known. */
export interface TokenUsage {
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_input_tokens: number | null;
  cache_creation_input_tokens: number | null;
  total_tokens: number | null;
}

export function tokenUsage(bills: readonly ModelBill[]): TokenUsage {
  const input = total(bills.map(({ inputTokens }) => inputTokens));
  const output = total(bills.map(({ outputTokens }) => outputTokens));
  const read = total(bills.map(({ cacheReadTokens }) => cacheReadTokens));
  const written = total(
    bills.flatMap(({ cacheWrite5mTokens, cacheWrite1hTokens }) => [cacheWrite5mTokens, cacheWrite1hTokens]),
  );
  return {
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: read,
    cache_creation_input_tokens: written,
    total_tokens: total([input, output, read, written]),
  };
}

/** Null as soon as one part is not known. */
function total(parts: (number | null)[]): number | null {
  return parts.reduce((sum, part) => (sum === null || part === null ? null : sum + part), 0);
}
