import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { printable } from './printable.js';

type Stream = Writable & { isTTY?: boolean; columns?: number };

/** Of a terminal that does not tell. */
const COLUMNS = 80;

/**
 * The two streams of a command: what was asked for goes to stdout, what is said about it to stderr. Text on
 * a real terminal never carries control characters, whoever wrote it; a pipe gets every byte.
 */
export class Terminal {
  /** What the process ends with when nothing is thrown. */
  exitCode = 0;

  constructor(
    private readonly stdout: Stream,
    readonly stderr: Stream,
  ) {}

  /** Whether a person reads stdout: tables with borders and colour. */
  get interactive(): boolean {
    return this.stdout.isTTY === true;
  }

  /** Whether a person reads stderr. */
  get watched(): boolean {
    return this.stderr.isTTY === true;
  }

  /** How wide stderr is. */
  get columns(): number {
    return this.stderr.columns || COLUMNS;
  }

  write(text: string): void {
    this.stdout.write(this.interactive ? printable(text) : text);
  }

  /** The same for much text: waits until the reader has taken it. */
  async send(text: string): Promise<void> {
    if (!this.stdout.write(this.interactive ? printable(text) : text)) await once(this.stdout, 'drain');
  }

  /** Output of our own, colours included. */
  print(text: string): void {
    this.stdout.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.write(`${JSON.stringify(value, null, this.interactive ? 2 : undefined)}\n`);
  }

  /** One of many values. */
  jsonLine(value: unknown): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  say(message: string): void {
    this.stderr.write(`${this.watched ? printable(message) : message}\n`);
  }
}
