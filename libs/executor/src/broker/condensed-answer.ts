import type { AnswerReader, Piece } from './answer-reader.js';
import { SseLines } from './sse-lines.js';

/** The CLI may take it for dead when a model that speaks is not heard of for long. */
const LONGEST_HOLD_MS = 1_000;
/** Nothing that a model says in one event is as long. */
const LONGEST_LINE = 4 * 1024 * 1024;

/**
 * An answer whose text is read on its way, as the CLI is told it: pieces of text that follow each other as one
 * piece, for each costs the CLI a millisecond or more. Everything else passes as it is, in its order.
 */
export class CondensedAnswer {
  private readonly lines = new SseLines();
  private held: Piece | undefined;
  private heldSince = 0;
  /** The name of the event that is about to come. */
  private heading = '';
  private isInPiece = false;

  constructor(private readonly reader: AnswerReader) {}

  /** What the CLI is to be told now. */
  push(chunk: Uint8Array): string {
    const told = this.lines.push(chunk).map((line) => this.take(line));
    if (this.lines.rest.length > LONGEST_LINE) throw new Error('the answer holds a line without an end');
    const isOld = this.held && performance.now() - this.heldSince > LONGEST_HOLD_MS;
    return told.join('') + (isOld ? this.release() : '');
  }

  /** What is left when the answer is over, or was cut. */
  end(): string {
    return this.release() + this.heading + this.lines.rest;
  }

  private take(line: string): string {
    const piece = this.reader.read(line);
    if (piece) return this.hold(piece);
    if (this.isInPiece && line.trim() === '') {
      this.isInPiece = false;
      return '';
    }
    if (line.startsWith('event:')) {
      this.heading += `${line}\n`;
      return '';
    }
    const before = this.release() + this.heading;
    this.heading = '';
    return `${before}${line}\n`;
  }

  private hold(piece: Piece): string {
    this.heading = '';
    this.isInPiece = true;
    const { held } = this;
    if (held && held.index === piece.index && held.type === piece.type) {
      held.content += piece.content;
      return '';
    }
    const before = this.release();
    this.held = { ...piece };
    this.heldSince = performance.now();
    return before;
  }

  private release(): string {
    if (!this.held) return '';
    const { index, type, content } = this.held;
    this.held = undefined;
    const delta =
      type === 'token'
        ? { type: 'text_delta', text: content }
        : { type: 'thinking_delta', thinking: content };
    const data = JSON.stringify({ type: 'content_block_delta', index, delta });
    return `event: content_block_delta\ndata: ${data}\n\n`;
  }
}
