import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { BOX_HOME, BOX_SHM, BOX_TMP } from './box-places.js';

const KIBIBYTE = 1024;

/**
 * The processes of a box, seen through its own /proc: `root` is `/proc/<its first process>/root`. While
 * bubblewrap is still at work that is the host's root, and nothing there is the box's.
 */
export function processesIn(root: string): string[] {
  if (statSync(`${root}/proc`).dev === statSync('/proc').dev) return [];
  return readdirSync(`${root}/proc`).filter((name) => /^\d+$/.test(name));
}

/**
 * Bytes that a box takes at most: what its processes do not share with a file, and what its private file
 * systems hold. Pages shared after a fork count once for each process, so it can say too much.
 */
export function memoryAtMost(root: string): number {
  const kibibytes = processesIn(root).map((pid) => {
    const status = readOr(`${root}/proc/${pid}/status`);
    return sum(status, /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm);
  });
  return tmpfsBytes(root) + KIBIBYTE * kibibytes.reduce((total, each) => total + each, 0);
}

/** The same with each shared page counted once. Slow: the kernel walks every page table. Stops above `enough`. */
export async function memoryExactly(root: string, enough: number): Promise<number> {
  let bytes = tmpfsBytes(root);
  for (const pid of processesIn(root)) {
    const rollup = await readFile(`${root}/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += KIBIBYTE * sum(rollup, /^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$/gm);
    if (bytes > enough) break;
  }
  return bytes;
}

function tmpfsBytes(root: string): number {
  const sizes = [BOX_HOME, BOX_TMP, BOX_SHM].map((path) => {
    const { blocks, bfree, bsize } = statfsSync(root + path);
    return (blocks - bfree) * bsize;
  });
  return sizes.reduce((total, each) => total + each, 0);
}

function sum(text: string, lines: RegExp): number {
  return [...text.matchAll(lines)].reduce((total, [, kibibytes]) => total + Number(kibibytes), 0);
}

/** A process may end between being listed and being read. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
