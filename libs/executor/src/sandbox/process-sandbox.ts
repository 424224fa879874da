import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { childEnvironment } from '@app/config';

interface BoxSpec {
  command: string;
  args: string[];
  workDir: string;
  /** Added to the allow-list of inherited variables. */
  env: Record<string, string>;
}

export type SandboxedProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** What the operator is told about the walls around a run. */
export interface Isolation {
  level: 'weak' | 'strong';
  detail: string;
}

/**
 * Starts the CLI as a plain child in a process group of its own. Isolates nothing beyond the CLI's own
 * limits, and says so; `kill` ends the whole group at once, and so does the end of this process, however it
 * comes about short of SIGKILL.
 */
@Injectable()
export class ProcessSandbox implements OnModuleInit, OnApplicationShutdown {
  readonly isolation: Isolation = {
    level: 'weak',
    detail: 'no OS sandbox: text only, behind the limits of the CLI itself',
  };

  private readonly running = new Set<SandboxedProcess>();

  onModuleInit(): void {
    process.on('exit', this.killAll);
  }

  onApplicationShutdown(): void {
    process.off('exit', this.killAll);
  }

  spawn(box: BoxSpec): SandboxedProcess {
    const child = spawn(box.command, box.args, {
      cwd: box.workDir,
      env: { ...childEnvironment(), ...box.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.running.add(child);
    return child.once('exit', () => this.running.delete(child));
  }

  /** SIGKILL to the group: after the answer, a deadline or a cancel there is nothing worth waiting for. */
  kill(child: SandboxedProcess): void {
    if (child.pid === undefined) return;
    try {
      if (process.platform === 'win32') child.kill('SIGKILL');
      else process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  private readonly killAll = (): void => {
    for (const child of this.running) this.kill(child);
  };
}
