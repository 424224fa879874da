import { Transform, type TransformCallback } from 'node:stream';
import type { SpawnedProcess } from '@anthropic-ai/claude-agent-sdk';
import type { SandboxedProcess } from '../sandbox/sandbox.js';

const MEBIBYTE = 1024 * 1024;
/** The CLI sends no request over 32 MiB, and says nothing that is longer. */
const LONGEST_LINE = 32 * MEBIBYTE;
/** Hours of streaming. */
const MOST_BYTES = 1024 * MEBIBYTE;
/** What may come at once, and each second: far above what any model says. */
const BURST = 16 * MEBIBYTE;
const BYTES_PER_SECOND = 4 * MEBIBYTE;
const NEWLINE = 0x0a;

/**
 * What a box says, as much of it as the service can bear. Bash runs as the CLI's own user and can make it say
 * anything; the SDK reads as fast as it can and keeps a line whole, however long. Passes everything on, not
 * faster than it can be worked off, until a line or the whole has no end: then nothing more.
 */
export class BoundedOutput extends Transform {
  private total = 0;
  private line = 0;
  private room = BURST;
  private filledAt = performance.now();

  /** `onExceeded` may be called more than once. */
  constructor(private readonly onExceeded: () => void) {
    super();
  }

  /** What was said until now was said in another run. */
  beginAnew(): void {
    this.total = 0;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.total += chunk.length;
    const lastEnd = chunk.lastIndexOf(NEWLINE);
    this.line = lastEnd === -1 ? this.line + chunk.length : chunk.length - lastEnd - 1;
    if (this.line > LONGEST_LINE || this.total > MOST_BYTES) {
      this.onExceeded();
      done();
      return;
    }
    const waitMs = this.waitFor(chunk.length);
    if (waitMs <= 0) done(null, chunk);
    else setTimeout(() => done(null, chunk), waitMs);
  }

  private waitFor(bytes: number): number {
    const now = performance.now();
    const refilled = this.room + ((now - this.filledAt) / 1000) * BYTES_PER_SECOND;
    this.room = Math.min(BURST, refilled) - bytes;
    this.filledAt = now;
    return (-this.room / BYTES_PER_SECOND) * 1000;
  }
}

type Listener = (...args: never[]) => void;

/** The process as the SDK may see it. */
export function bounded(child: SandboxedProcess, output: BoundedOutput): SpawnedProcess {
  return {
    stdin: child.stdin,
    stdout: child.stdout.pipe(output),
    get killed() {
      return child.killed;
    },
    get exitCode() {
      return child.exitCode;
    },
    get signalCode() {
      return child.signalCode;
    },
    kill: (signal) => child.kill(signal),
    on: (event: string, listener: Listener) => void child.on(event, listener as () => void),
    once: (event: string, listener: Listener) => void child.once(event, listener as () => void),
    off: (event: string, listener: Listener) => void child.off(event, listener as () => void),
  };
}
