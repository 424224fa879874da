import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { childEnvironment } from '@app/config';
import { processesIn } from './box-memory.js';

const run = promisify(execFile);
/** Beyond this a workspace is too large to be watched, and so too large. */
const WALK_TIMEOUT_MS = 10_000;
/** An empty file takes an inode and no block. */
const BYTES_OF_AN_ENTRY = 1024;
const BLOCK = 512;

/** Bytes that a workspace takes on the disk, also by files that have no name any more. */
export async function diskBytes(workspace: string, root: string): Promise<number> {
  const [blocks, entries] = await Promise.all([
    diskUsage(workspace, '--block-size=1'),
    diskUsage(workspace, '--inodes'),
  ]);
  return blocks + entries * BYTES_OF_AN_ENTRY + (await namelessBytes(workspace, root));
}

/** `du` follows no link, and is not led astray by folders that are moved while it looks. */
async function diskUsage(folder: string, unit: string): Promise<number> {
  const env = { ...childEnvironment(), LC_ALL: 'C' };
  try {
    const { stdout } = await run('du', ['-sx', unit, '--', folder], { env, timeout: WALK_TIMEOUT_MS });
    return Number.parseInt(stdout, 10);
  } catch (error) {
    const { stdout, stderr, killed } = error as { stdout: string; stderr: string; killed: boolean };
    // Files that vanish meanwhile are no trouble; what nobody may look into could hold anything.
    if (killed || stderr.includes('Permission denied')) return Infinity;
    return Number.parseInt(stdout, 10) || 0;
  }
}

/** A file that was removed while open keeps its blocks, where no walk finds it. */
async function namelessBytes(workspace: string, root: string): Promise<number> {
  const { dev } = await stat(workspace);
  const found = new Map<number, number>();
  for (const pid of processesIn(root)) {
    for (const fd of listOr(`${root}/proc/${pid}/fd`)) {
      const file = statSync(`${root}/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
      if (file?.isFile() && file.nlink === 0 && file.dev === dev) found.set(file.ino, file.blocks * BLOCK);
    }
    // A box may hold half a million descriptors: others have their turn in between.
    await nextTurn();
  }
  return [...found.values()].reduce((total, each) => total + each, 0);
}

function listOr(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
