import { VerbFailure } from '../failures.js';
import type { Terminal } from '../terminal.js';
import { eventData } from './event-stream.js';
import { refusal } from './live-server.js';

/** The events of a completion that matter here (api.md, Events). */
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

/** Writes the tokens as they come; at the end, on stderr, what it took. Throws what the run failed with. */
export async function streamedAnswer(chunks: AsyncIterable<Uint8Array>, terminal: Terminal): Promise<void> {
  let last = '';
  for await (const data of eventData(chunks)) {
    const event = JSON.parse(data) as CompletionEvent;
    if (event.type === 'token') {
      terminal.write(event.content);
      last = event.content || last;
    } else if (event.type === 'done' || event.type === 'error') {
      if (last && !last.endsWith('\n')) terminal.write('\n');
      if (event.type === 'error') throw refusal(200, { ...event, type: 'error' });
      for (const warning of event.warnings ?? []) terminal.say(`warning: ${warning}`);
      if (terminal.watched) terminal.say(statusLine(event));
      return;
    }
  }
  throw new VerbFailure('the server ended the answer half-way', 'stream_cut');
}

function statusLine({ model, usage, cost_usd, timing, finish_reason }: Done): string {
  return [
    model,
    `${usage.input_tokens ?? '?'} in, ${usage.output_tokens ?? '?'} out`,
    cost_usd === null ? 'cost not known' : `$${cost_usd}`,
    timing && `${(timing.total_ms / 1000).toFixed(1)} s`,
    finish_reason,
  ]
    .filter(Boolean)
    .join(' · ');
}
