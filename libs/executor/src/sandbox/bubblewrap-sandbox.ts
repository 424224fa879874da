import { execFile, spawn, type StdioOptions } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { chmod, chown, lchown, lstat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { childEnvironment } from '@app/config';
import { type BoxFiles, makeBoxFiles } from './box-files.js';
import * as place from './box-places.js';
import { BoxWatchdog } from './box-watchdog.js';
import { bubblewrapOptions, insideCommand } from './bubblewrap-arguments.js';
import { boxAccount, type HostAccount, programFor } from './host-access.js';
import type { RunFolder } from './run-folders.js';
import {
  type BoxContent,
  type BoxSpec,
  type BoxView,
  type Isolation,
  Sandbox,
  type SandboxedProcess,
} from './sandbox.js';

const run = promisify(execFile);
/** What is left of the host's variables: language and time zone. Paths of the host mean nothing inside. */
const INHERITED = ['LANG', 'LC_ALL', 'TZ'];
const GIVE_TIMEOUT_MS = 30_000;
/** `sun_path` holds 108 bytes with its end. */
const LONGEST_SOCKET_PATH = 107;

/**
 * Starts the CLI in a bubblewrap box. Guarantees: of the host's files only the system's programs and
 * libraries are there, to read; no network but the run's own socket to the broker; no process, IPC or user of
 * the host; no privilege and no way to one; memory, processes, file sizes and the workspace are bounded. The
 * end of the outer process, or of the service, is the end of everything inside.
 */
export class BubblewrapSandbox extends Sandbox {
  override readonly isolation: Isolation = {
    level: 'strong',
    detail: 'bubblewrap: own file system, no network, seccomp',
  };

  private readonly account: HostAccount | undefined = boxAccount();
  private readonly files: BoxFiles;
  private readonly node: string | undefined;
  private readonly bubblewrap = whereIs('bwrap');
  private readonly watchdogs = new WeakMap<SandboxedProcess, BoxWatchdog>();

  /** `folder` is the service's own: the box's account passes through it, and nobody else writes there. */
  constructor(private readonly folder: string) {
    super();
    this.files = makeBoxFiles(join(folder, 'box'));
    const systemHasNode = ['/usr/local/bin/node', '/usr/bin/node'].some((path) => existsSync(path));
    this.node = systemHasNode ? undefined : this.program(process.execPath);
  }

  override brokerSocket(folder: RunFolder): string {
    const path = join(folder.root, 'broker.sock');
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) throw new Error('set TMPDIR to a shorter path');
    return path;
  }

  override view(): BoxView {
    return {
      ...{ home: place.BOX_HOME, configDir: place.BOX_CONFIG, tmpDir: place.BOX_TMP },
      ...{ workDir: place.BOX_WORKSPACE, pluginDir: place.BOX_PLUGIN },
      transcriptPath: place.BOX_TRANSCRIPT,
      brokerUrl: `http://127.0.0.1:${place.BOX_BROKER_PORT}`,
    };
  }

  override async prepare({ folder, workspace, broker }: BoxContent): Promise<void> {
    if ('socketPath' in broker) {
      if (!(await lstat(broker.socketPath)).isSocket()) throw new Error('the socket of a run was replaced');
      await chmod(broker.socketPath, 0o600);
    }
    if (!this.account) return;
    const { uid, gid } = this.account;
    if ('socketPath' in broker) await lchown(broker.socketPath, uid, gid);
    await chown(folder.root, uid, gid);
    if (existsSync(folder.transcriptPath)) await lchown(folder.transcriptPath, uid, gid);
    if (existsSync(folder.pluginDir)) await this.give(folder.pluginDir);
    if (workspace) await this.give(workspace.dir);
  }

  override spawn(box: BoxSpec): SandboxedProcess {
    const parts = { files: this.files, node: this.node, program: this.program(box.command) };
    // Neither on the command line, which the box can read, nor in a pipe, which would have to be written.
    const optionsPath = join(box.folder.root, 'box.options');
    const options = bubblewrapOptions(box, parts).map((option) => `${option}\0`);
    writeFileSync(optionsPath, options.join(''), { mode: 0o600 });
    const inherited = [openSync(optionsPath, 'r'), openSync(this.files.seccompPath, 'r')];
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', 'pipe', ...inherited];
    const fixed = ['--json-status-fd', '3', '--args', '4', '--seccomp', '5'];
    try {
      const child = spawn(this.bubblewrap, [...fixed, '--', ...insideCommand(box)], {
        // Names the run in the process table: after a crash its owner is known by it.
        cwd: box.folder.root,
        env: { ...environment(), ...box.env },
        stdio,
        detached: true,
        ...this.account,
      }) as unknown as SandboxedProcess;
      this.watchdogs.set(child, new BoxWatchdog(child, box));
      return child;
    } finally {
      for (const fd of inherited) closeSync(fd);
    }
  }

  override kill(child: SandboxedProcess): void {
    this.watchdogs.get(child)?.kill();
  }

  /** Bytes that a box takes now; 0 = it cannot be seen. */
  memoryOf(child: SandboxedProcess): number {
    return this.watchdogs.get(child)?.memoryBytes() ?? 0;
  }

  /** Puts a program where a box can run it. At start, so that no run waits for a copy. */
  readyProgram(path: string): void {
    this.program(path);
  }

  private program(path: string): string {
    try {
      return programFor(this.account, path, join(this.folder, 'programs'));
    } catch {
      // Not there, or nobody's to read: bubblewrap says so, and the run fails as one of a CLI that is missing.
      return path;
    }
  }

  /** Only what is the service's: what the box made itself is the account's already. Follows no link. */
  private async give(folder: string): Promise<void> {
    const { uid, gid } = this.account as HostAccount;
    const args = ['-RhP', '--from=0', `${uid}:${gid}`, '--', folder];
    await run('chown', args, { env: childEnvironment(), timeout: GIVE_TIMEOUT_MS });
  }
}

/** By the service's own PATH: the box's is another. */
function whereIs(program: string): string {
  const folders = (childEnvironment().PATH ?? '').split(delimiter);
  const paths = folders.map((folder) => join(folder, program));
  return paths.find((path) => existsSync(path)) ?? join(folders[0] ?? '/usr/bin', program);
}

function environment(): Record<string, string> {
  const inherited = Object.entries(childEnvironment()).filter(([name]) => INHERITED.includes(name));
  return { ...Object.fromEntries(inherited), PATH: place.BOX_PATH };
}
