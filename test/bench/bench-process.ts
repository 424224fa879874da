import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A program of `callers/` in a process of its own, outside of Jest, which would slow it. Does one order at a time. */
export class BenchProcess<Started = unknown> {
  private constructor(
    private readonly child: ChildProcess,
    /** What it said when it was ready. */
    readonly started: Started,
  ) {}

  static async start<T>(program: string, ...args: string[]): Promise<BenchProcess<T>> {
    const child = fork(join(import.meta.dirname, 'callers', `${program}.mjs`), args, {
      env: { PATH: process.env.PATH },
      execArgv: [],
    });
    return new BenchProcess(child, (await told(child)) as T);
  }

  get pid(): number {
    return this.child.pid!;
  }

  order<T>(order: object): Promise<T> {
    this.child.send(order);
    return told(this.child) as Promise<T>;
  }

  /** Whatever it does: its own end is orderly when it had nothing to do. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    const late = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(late);
  }
}

/** The next thing that it says. */
async function told(child: ChildProcess): Promise<unknown> {
  const exit = new AbortController();
  const { signal } = exit;
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`a process of the benchmark ended with ${code}`);
      }),
    ]);
    if (message.error) throw new Error(message.error);
    return message;
  } finally {
    exit.abort();
  }
}
