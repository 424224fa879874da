import { VerbFailure } from '../failures.js';
import { dollars, seconds } from '../progress/amounts.js';
import { activityOf, type ToldEvent } from '../progress/event-words.js';
import type { Progress } from '../progress/progress.js';
import type { Terminal } from '../terminal.js';
import { eventData } from './event-stream.js';
import { refusal } from './live-server.js';

/** The events of a completion that are more than progress (api.md, Events). */
type CompletionEvent =
  | { type: 'token'; content: string }
  | { type: 'error'; error: object; request_id: string }
  | ({ type: 'done' } & Done);

interface Done {
  model: string;
  usage: { input_tokens: number | null; output_tokens: number | null };
  cost_usd: number | null;
  timing?: { total_ms: number };
  finish_reason?: string;
  warnings?: string[];
}

/**
 * Writes the tokens as they come, and shows what is done until the first one; at the end, on stderr, what it took.
 * Throws what the run failed with.
 */
export async function streamedAnswer(
  chunks: AsyncIterable<Uint8Array>,
  terminal: Terminal,
  progress: Progress,
): Promise<void> {
  let last = '';
  for await (const data of eventData(chunks)) {
    const event = JSON.parse(data) as CompletionEvent;
    if (event.type === 'token') {
      progress.end();
      terminal.write(event.content);
      last = event.content || last;
    } else if (event.type === 'done' || event.type === 'error') {
      progress.end();
      if (last && !last.endsWith('\n')) terminal.write('\n');
      if (event.type === 'error') throw refusal(200, { ...event, type: 'error' });
      for (const warning of event.warnings ?? []) terminal.say(`warning: ${warning}`);
      if (terminal.watched) terminal.say(statusLine(event));
      return;
    } else if (last === '') {
      progress.now(activityOf(event as ToldEvent));
    }
  }
  throw new VerbFailure('the server ended the answer half-way', 'stream_cut');
}

function statusLine({ model, usage, cost_usd, timing, finish_reason }: Done): string {
  return [
    model,
    `${usage.input_tokens ?? '?'} in, ${usage.output_tokens ?? '?'} out`,
    dollars(cost_usd),
    timing && seconds(timing.total_ms),
    finish_reason,
  ]
    .filter(Boolean)
    .join(' · ');
}
