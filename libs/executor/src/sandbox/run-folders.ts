import { chmod, lstat, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { AppConfig, ConfigError } from '@app/config';
import { processesOf, processName } from './process-table.js';

/** The throw-away folders of one run: its HOME, its CLAUDE_CONFIG_DIR, an empty working folder, its skills. */
export interface RunFolder {
  root: string;
  home: string;
  configDir: string;
  workDir: string;
  /** Not made here: exists when the run has skills. */
  pluginDir: string;
  /** Not made here: exists when something was said before the prompt. */
  transcriptPath: string;
}

/**
 * Makes and removes the throw-away folders of runs, and clears what a killed server left. The owner's name
 * (pid and start time) is in the path, so that boot knows which folders, and which processes started from
 * them, belong to a dead owner; those of a living one are never touched. The path holds nothing personal,
 * because the CLI tells the model its working folder.
 */
@Injectable()
export class RunFolders {
  private readonly logger = new Logger(RunFolders.name);
  private readonly base: string;
  private made: Promise<string> | undefined;

  constructor(config: AppConfig) {
    this.base = join(tmpdir(), `claude-api-${config.instanceId}`);
  }

  async make(runId: string): Promise<RunFolder> {
    const root = join(await this.own(), runId);
    const inRoot = { configDir: join(root, 'config'), workDir: join(root, 'work') };
    const madeLater = { pluginDir: join(root, 'plugin'), transcriptPath: join(root, 'transcript.jsonl') };
    const folder = { root, home: root, ...inRoot, ...madeLater };
    await mkdir(root, { mode: 0o700 });
    await mkdir(folder.configDir, { mode: 0o700 });
    await mkdir(folder.workDir, { mode: 0o700 });
    return folder;
  }

  async remove(folder: RunFolder): Promise<void> {
    // A process that is just dying may still write a file: try again instead of leaving the folder.
    await rm(folder.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  /** Ends what dead owners left behind. Returns how many processes it killed. */
  async reap(): Promise<number> {
    await this.requireOwnBase();
    const owners = await readdir(this.base).catch(() => []);
    const killed = await Promise.all(owners.map((owner) => this.reapOwner(owner)));
    return killed.reduce((sum, count) => sum + count, 0);
  }

  /** Called at shutdown, when no run is left. */
  async removeOwn(): Promise<void> {
    if (!this.made) return;
    await rm(await this.made, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    // Fails, as it should, while another owner has its folder there.
    await rmdir(this.base).catch(() => undefined);
  }

  private async reapOwner(owner: string): Promise<number> {
    if ((await processName(Number.parseInt(owner, 10))) === owner) return 0;
    const folder = join(this.base, owner);
    const orphans = await processesOf(folder);
    for (const pid of orphans) endProcess(pid);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    this.logger.warn({ msg: 'cleared what a killed server left', owner, processes: orphans.length });
    return orphans.length;
  }

  /** This process's own folder. Others pass through it to what is theirs, and cannot list it. */
  own(): Promise<string> {
    this.made ??= (async () => {
      const folder = join(this.base, (await processName(process.pid)) ?? String(process.pid));
      // Not the process's mask: the account of the boxes has to pass.
      for (const each of [this.base, folder]) {
        await mkdir(each, { recursive: true, mode: 0o711 });
        await this.requireOwnBase();
        await chmod(each, 0o711);
      }
      return folder;
    })();
    return this.made;
  }

  /** Whoever owns it could put settings into our runs, and links into what we remove. */
  private async requireOwnBase(): Promise<void> {
    const found = await lstat(this.base).catch(() => null);
    if (!found || (found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid))) return;
    throw new ConfigError(
      `the folder ${this.base} was made by somebody else: remove it, or set TMPDIR to a folder of your own`,
    );
  }
}

/** One that ended by itself meanwhile is no reason not to start: a dead server's children are just leaving. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
