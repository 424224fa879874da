import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { until } from './task-api.js';

const LAUNCHER = resolve(__dirname, '../../bin/claude-api.cjs');

/** `claude-api …` while it runs. */
export class CliProcess {
  stdout = '';
  stderr = '';
  private code: number | null | undefined;

  private constructor(private readonly child: ChildProcess) {
    child.stdout!.on('data', (piece) => (this.stdout += piece));
    child.stderr!.on('data', (piece) => (this.stderr += piece));
    // After the last output.
    child.on('close', (code) => (this.code = code));
  }

  static start(env: Record<string, string>, args: string[]): CliProcess {
    return new CliProcess(spawn(process.execPath, [LAUNCHER, ...args], { env }));
  }

  /** On a pseudo-terminal of its own, so wide; all that it shows is stdout. */
  static onTerminal(env: Record<string, string>, columns: number, args: string[]): CliProcess {
    const line = [process.execPath, LAUNCHER, ...args].map((word) => `'${word}'`).join(' ');
    const command = `stty cols ${columns} rows 50; exec ${line}`;
    return new CliProcess(spawn('script', ['-qfec', command, '/dev/null'], { env }));
  }

  /** Waits until it has said this. */
  async says(text: string, where: 'stdout' | 'stderr' = 'stderr'): Promise<void> {
    await until(
      `${text} on ${where}`,
      () => ({ said: this[where], code: this.code }),
      ({ said, code }) => {
        if (code !== undefined && !said.includes(text)) throw new Error(`ended with ${code}: ${said}`);
        return said.includes(text);
      },
    );
  }

  signal(signal: 'SIGINT' | 'SIGTERM'): void {
    this.child.kill(signal);
  }

  type(keys: string): void {
    this.child.stdin!.write(keys);
  }

  async ended(): Promise<{ code: number | null; stdout: string; stderr: string }> {
    await until('the end', () => this.code !== undefined);
    return { code: this.code ?? null, stdout: this.stdout, stderr: this.stderr };
  }

  /** Whatever state it is in. */
  stop(): void {
    if (this.code === undefined) this.child.kill('SIGKILL');
  }
}
