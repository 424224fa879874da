import type { Run, RunResult } from '@app/runs';
import type { CompletionDto, CompletionUsageDto, RoutingDto } from './dto/completion.dto.js';

interface Around {
  /** Unix seconds. */
  created: number;
  routing?: RoutingDto;
  metadata?: Record<string, unknown>;
  demo: boolean;
}

/** The answer as the API gives it. */
export function completionOf(run: Run, result: RunResult, around: Around): CompletionDto {
  return {
    id: run.id,
    object: 'text_completion',
    created: around.created,
    model: run.model,
    content: result.text,
    choices: [{ index: 0, text: result.text, finish_reason: result.finishReason ?? 'stop' }],
    usage: usageOf(result),
    cost_usd: result.costUsd,
    timing: result.timing,
    ...(around.routing ? { routing: around.routing } : {}),
    warnings: warningsOf(run, result, around.demo),
    ...(around.metadata ? { metadata: around.metadata } : {}),
  };
}

function usageOf({ usage }: RunResult): CompletionUsageDto {
  const input = total(usage.map(({ inputTokens }) => inputTokens));
  const output = total(usage.map(({ outputTokens }) => outputTokens));
  const read = total(usage.map(({ cacheReadTokens }) => cacheReadTokens));
  const written = total(
    usage.flatMap(({ cacheWrite5mTokens, cacheWrite1hTokens }) => [cacheWrite5mTokens, cacheWrite1hTokens]),
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

function warningsOf(run: Run, result: RunResult, demo: boolean): string[] {
  const warnings: string[] = [];
  if (demo) warnings.push('demo: this answer comes from a scripted model, not from Claude');
  if (result.costUsd === null) warnings.push(`${unknownCost(run, result)}: cost_usd is null`);
  return warnings;
}

function unknownCost(run: Run, { usage }: RunResult): string {
  const isReported = usage.every(
    ({ inputTokens, outputTokens }) => inputTokens !== null && outputTokens !== null,
  );
  return isReported ? `no price is known for ${run.model}` : 'the model’s API did not report what was used';
}
