import { spawn } from 'node:child_process';
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { childEnvironment } from '@app/config';
import {
  type BoxContent,
  type BoxSpec,
  type BoxView,
  type Isolation,
  Sandbox,
  type SandboxedProcess,
} from './sandbox.js';

/**
 * Starts the CLI as a plain child in a process group of its own. Isolates nothing beyond the CLI's own
 * limits, and says so; `kill` ends the whole group at once, and so does the end of this process, however it
 * comes about short of SIGKILL.
 */
export class ProcessSandbox extends Sandbox implements OnModuleInit, OnApplicationShutdown {
  override readonly isolation: Isolation;
  private readonly running = new Set<SandboxedProcess>();

  /** `tasksRefused`: why nothing stronger is there, with the one-line fix. */
  constructor(tasksRefused?: string) {
    super();
    this.isolation = tasksRefused
      ? {
          level: 'weak',
          detail: 'no OS sandbox: completions only, behind the limits of the CLI itself',
          tasksRefused,
        }
      : { level: 'weak', detail: 'no OS sandbox: tasks run with the rights of the service' };
  }

  onModuleInit(): void {
    process.on('exit', this.killAll);
  }

  onApplicationShutdown(): void {
    process.off('exit', this.killAll);
  }

  override brokerSocket(): undefined {
    return undefined;
  }

  override async prepare(): Promise<void> {
    // Everything belongs to the service's own user already.
  }

  override view({ folder, workspace, broker }: BoxContent): BoxView {
    const workDir = workspace?.dir ?? folder.workDir;
    return {
      ...{ home: folder.home, configDir: folder.configDir, tmpDir: folder.root, workDir },
      ...{ pluginDir: folder.pluginDir, transcriptPath: folder.transcriptPath },
      brokerUrl: 'url' in broker ? broker.url : '',
    };
  }

  override spawn(box: BoxSpec): SandboxedProcess {
    const child = spawn(box.command, box.args, {
      cwd: this.view(box).workDir,
      env: { ...childEnvironment(), ...box.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.running.add(child);
    return child.once('exit', () => this.running.delete(child));
  }

  /** SIGKILL to the group: after the answer, a deadline or a cancel there is nothing worth waiting for. */
  override kill(child: SandboxedProcess): void {
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
