import { z } from 'zod';
import type { ModelUsage } from '../run-meter.js';
import { SseLines } from './sse-lines.js';

/** No call has more tokens than this. A count that cannot be one (`NaN` here) must not become money. */
const MOST_TOKENS = 1_000_000_000;
const count = z.int().min(0).max(MOST_TOKENS).nullish().catch(Number.NaN);
const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  cache_creation: z.object({ ephemeral_5m_input_tokens: count, ephemeral_1h_input_tokens: count }).nullish(),
});
const message = z.object({ stop_reason: z.string().nullish(), usage: usage.nullish() });
const textBlock = z.object({ type: z.literal('text'), text: z.string() });
const wholeMessage = message.extend({
  type: z.literal('message'),
  content: z.array(z.union([textBlock, z.looseObject({})])).catch([]),
});
const streamEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('message_start'), message }),
  z.object({ type: z.literal('content_block_delta') }),
  z.object({ type: z.literal('message_delta'), delta: message, usage: usage.nullish() }),
  z.object({ type: z.literal('message_stop') }),
  z.object({ type: z.literal('error') }),
]);

const delta = z.object({
  index: z.int().min(0),
  delta: z.discriminatedUnion('type', [
    z.object({ type: z.literal('text_delta'), text: z.string() }),
    z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  ]),
});
/** Of an answer whose text is kept; no model says so much. */
const MOST_TEXT = 32 * 1024 * 1024;

/** A piece of what a model says. */
export interface Said {
  type: 'token' | 'thinking';
  content: string;
}

/** … and of which block of the answer it is. */
export type Piece = Said & { index: number };

/** A data line longer than this cannot hold anything that is metered; it is passed on unread. */
const LONGEST_LINE = 1024 * 1024;

/**
 * Reads an answer of the model's API while it passes through, and keeps what is metered: usage, stop reason,
 * whether text was already sent and whether the answer came to its end. Changes nothing.
 */
export class AnswerReader {
  stopReason: string | null = null;
  complete = false;
  hasContent = false;
  /** All that was said so far, apart from thoughts; empty without `onSaid`. */
  text = '';
  private reported: Partial<z.infer<typeof usage>> | null = null;
  private readonly lines = new SseLines();

  constructor(
    private readonly model: string,
    /** Hears the text as it comes; without it none is read. */
    private readonly onSaid?: (said: Said) => void,
  ) {}

  /** Some bytes of an SSE answer. */
  push(chunk: Uint8Array): void {
    for (const line of this.lines.push(chunk)) this.read(line);
    if (this.lines.rest.length > LONGEST_LINE) this.lines.rest = '';
  }

  /** A line of an SSE answer; the piece of text that it holds, if somebody hears the text. */
  read(line: string): Piece | undefined {
    if (!line.startsWith('data:')) return undefined;
    // Text deltas are nearly all of a stream and hold nothing to meter: parsed only for who wants the text.
    if (line.includes('"content_block_delta"')) {
      this.hasContent = true;
      return this.onSaid && this.readPiece(line.slice(5));
    }
    this.readEvent(line.slice(5));
    return undefined;
  }

  /** A whole answer that was not streamed. */
  readJson(text: string): void {
    const parsed = wholeMessage.safeParse(parseJson(text));
    if (!parsed.success) return;
    this.reported = parsed.data.usage ?? null;
    this.stopReason = parsed.data.stop_reason ?? null;
    this.complete = true;
    this.hasContent = true;
    for (const block of parsed.data.content) {
      if ('text' in block && typeof block.text === 'string') this.say({ type: 'token', content: block.text });
    }
  }

  /** What was reported. Of an answer that was cut nothing is known: its counts were those of its beginning. */
  get usage(): ModelUsage {
    if (!this.complete) return unreported(this.model);
    const seen = this.reported ?? {};
    // The API leaves cache counts out, or null, when nothing was cached; writes whose life it does not tell are
    // 5-minute ones, as the CLI prices them.
    const written1h = seen.cache_creation?.ephemeral_1h_input_tokens ?? 0;
    const written = seen.cache_creation_input_tokens ?? 0;
    return {
      model: this.model,
      inputTokens: known(seen.input_tokens),
      outputTokens: known(seen.output_tokens),
      cacheReadTokens: known(seen.cache_read_input_tokens ?? 0),
      cacheWrite5mTokens: known(
        Math.max(written - written1h, seen.cache_creation?.ephemeral_5m_input_tokens ?? 0),
      ),
      cacheWrite1hTokens: known(written1h),
    };
  }

  private say(said: Said): void {
    if (!this.onSaid || this.text.length > MOST_TEXT) return;
    if (said.type === 'token') this.text += said.content;
    this.onSaid(said);
  }

  private readPiece(line: string): Piece | undefined {
    const { data } = delta.safeParse(parseJson(line));
    if (!data) return undefined;
    const { index, delta: came } = data;
    const said: Said =
      came.type === 'text_delta'
        ? { type: 'token', content: came.text }
        : { type: 'thinking', content: came.thinking };
    this.say(said);
    return { index, ...said };
  }

  private readEvent(text: string): void {
    const event = streamEvent.safeParse(parseJson(text));
    if (!event.success) return;
    if (event.data.type === 'message_start') this.reported = event.data.message.usage ?? null;
    if (event.data.type === 'message_delta') {
      // The final usage repeats or refines the first one; what it leaves out still stands.
      const final = Object.entries(event.data.usage ?? {}).filter(([, value]) => value != null);
      this.reported = { ...this.reported, ...Object.fromEntries(final) };
      this.stopReason = event.data.delta.stop_reason ?? this.stopReason;
    }
    if (event.data.type === 'message_stop') this.complete = true;
  }
}

/** What is known of a call that told nothing of what it used. */
export function unreported(model: string): ModelUsage {
  return {
    model,
    inputTokens: null,
    outputTokens: null,
    cacheReadTokens: null,
    cacheWrite5mTokens: null,
    cacheWrite1hTokens: null,
  };
}

function known(reported: number | null | undefined): number | null {
  return reported == null || Number.isNaN(reported) ? null : reported;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
