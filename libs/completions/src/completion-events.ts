import type { Allowance } from '@app/budgets';
import type { AppError } from '@app/common';
import type { CompletionDto } from './dto/completion.dto.js';

/** What happens while a completion is made: api.md’s events, less `seq`, `timestamp` and `id`. */
export type CompletionEvent =
  | { type: 'started'; model: string }
  | { type: 'thinking' | 'token'; content: string }
  | { type: 'retry'; attempt: number; upstream_status: number | null }
  | { type: 'done'; completion: CompletionDto }
  | { type: 'error'; error: AppError };

/** A completion that was accepted. Read the events to the end; the last one is `done` or `error`. */
export interface StartedCompletion {
  id: string;
  /** By then, counted from now, the run has ended by itself. */
  endsWithinMs: number;
  /** What the caller still has; absent for a stored answer. */
  allowance?: Allowance;
  events: AsyncIterable<CompletionEvent>;
}

/** A stored answer as the events it once was, in one burst. */
export async function* eventsOf(completion: CompletionDto): AsyncGenerator<CompletionEvent> {
  yield { type: 'started', model: completion.model };
  if (completion.content) yield { type: 'token', content: completion.content };
  yield { type: 'done', completion };
}

/** The answer of a finished completion; throws what it failed with. */
export async function answerOf(started: StartedCompletion): Promise<CompletionDto> {
  let last: CompletionEvent | undefined;
  for await (const event of started.events) last = event;
  if (last?.type === 'done') return last.completion;
  if (last?.type === 'error') throw last.error;
  throw new Error('a completion ended without done or error');
}
