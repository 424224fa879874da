import type { Readable } from 'node:stream';

const KEPT_CHARACTERS = 4096;

/** The end of what a process wrote to stderr, for the log when it crashes. */
export class StderrTail {
  text = '';

  follow(stream: Readable): void {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      this.text = (this.text + chunk).slice(-KEPT_CHARACTERS);
    });
  }
}
