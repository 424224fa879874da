import { once } from 'node:events';
import type { Writable } from 'node:stream';

type Stream = Writable & { isTTY?: boolean };

/** Escape sequences and other control characters, less tab and line feed. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * The two streams of a command: what was asked for goes to stdout, what is said about it to stderr. Text on
 * a real terminal never carries control characters, whoever wrote it; a pipe gets every byte.
 */
export class Terminal {
  /** What the process ends with when nothing is thrown. */
  exitCode = 0;

  constructor(
    private readonly stdout: Stream,
    private readonly stderr: Stream,
  ) {}

  /** Whether a person reads stdout: tables with borders and colour. */
  get interactive(): boolean {
    return this.stdout.isTTY === true;
  }

  /** Whether a person reads stderr. */
  get watched(): boolean {
    return this.stderr.isTTY === true;
  }

  write(text: string): void {
    this.stdout.write(this.interactive ? text.replace(CONTROL, '') : text);
  }

  /** The same for much text: waits until the reader has taken it. */
  async send(text: string): Promise<void> {
    const clean = this.interactive ? text.replace(CONTROL, '') : text;
    if (!this.stdout.write(clean)) await once(this.stdout, 'drain');
  }

  /** Output of our own, colours included. */
  print(text: string): void {
    this.stdout.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.print(JSON.stringify(value, null, this.interactive ? 2 : undefined));
  }

  say(message: string): void {
    this.stderr.write(`${this.watched ? message.replace(CONTROL, '') : message}\n`);
  }
}
