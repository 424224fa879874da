import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { SandboxedProcess } from './sandbox.js';

/** bubblewrap names the first process inside within some milliseconds; one that never does is just ended. */
const NAMED_WITHIN_MS = 2000;

/**
 * The two processes that a box hangs on: the outer one, which is ours, and the first one inside, with which
 * the kernel ends all others. bubblewrap ties the second to the first only once it is set up, so both are
 * killed, and a kill that comes before the inner one is known waits for its name.
 */
export class BoxProcesses {
  private first: number | undefined;
  private doomed = false;

  constructor(
    private readonly outer: SandboxedProcess,
    onFirst: (pid: number) => void,
  ) {
    const status = (outer as ChildProcess).stdio[3] as Readable | null;
    let text = '';
    // Only the first line: it is written before anything in the box runs.
    status?.on('data', (piece) => {
      if (this.first !== undefined) return;
      text += piece;
      const pid = /"child-pid": (\d+)/.exec(text)?.[1];
      if (!pid) return;
      this.first = Number(pid);
      if (this.doomed) this.kill();
      else onFirst(this.first);
    });
    status?.on('error', () => undefined);
  }

  get isAlive(): boolean {
    return this.outer.exitCode === null && this.outer.signalCode === null;
  }

  kill(): void {
    this.doomed = true;
    if (this.first !== undefined) {
      this.outer.kill('SIGKILL');
      if (isFirstOfBox(this.first)) killQuietly(this.first);
    } else if (this.isAlive) {
      setTimeout(() => this.outer.kill('SIGKILL'), NAMED_WITHIN_MS).unref();
    }
  }
}

/** A number that was given to another process meanwhile is not the first of any namespace below ours. */
function isFirstOfBox(pid: number): boolean {
  try {
    return /^NSpid:(\s\d+)+\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended just now.
  }
}
