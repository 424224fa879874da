import { type Run, type RunResult, tokenUsage } from '@app/runs';
import type { CompletionDto, RoutingDto } from './dto/completion.dto.js';

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
    choices: [
      {
        index: 0,
        text: result.text,
        finish_reason: result.finishReason ?? (result.status === 'cancelled' ? 'cancelled' : 'stop'),
      },
    ],
    usage: tokenUsage(result.usage),
    cost_usd: result.costUsd,
    timing: result.timing,
    ...(around.routing ? { routing: around.routing } : {}),
    warnings: warningsOf(run, result, around.demo),
    ...(around.metadata ? { metadata: around.metadata } : {}),
  };
}

function warningsOf(run: Run, result: RunResult, demo: boolean): string[] {
  const warnings: string[] = [];
  if (demo) warnings.push('demo: this answer comes from a scripted model, not from Claude');
  if (result.costUsd === null) warnings.push(`${unknownCost(run, result)}: cost_usd is null`);
  return warnings;
}

function unknownCost(run: Run, { usage, status }: RunResult): string {
  if (status === 'cancelled')
    return 'what was used until it was cancelled is not known and counts as reserved';
  const isReported = usage.every(
    ({ inputTokens, outputTokens }) => inputTokens !== null && outputTokens !== null,
  );
  return isReported ? `no price is known for ${run.model}` : 'the model’s API did not report what was used';
}
