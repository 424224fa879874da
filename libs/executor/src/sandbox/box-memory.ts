import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { BOX_HOME, BOX_SHM, BOX_TMP } from './box-places.js';

const KIBIBYTE = 1024;
/** An empty file in memory takes this much of the kernel's. */
const BYTES_OF_AN_ENTRY = 1024;
/** What a socket can hold for its reader, as kernels are set by default: memory that is no process's. */
const BYTES_OF_A_SOCKET = 512 * KIBIBYTE;

/** The processes of a box, seen through its own /proc: `root` is `/proc/<its first process>/root`. */
export function processesIn(root: string): string[] {
  const pids = readdirSync(`${root}/proc`).filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => livingThread(root, pid));
}

/** A process whose first thread has ended shows nothing of what its others have: one of them stands for it. */
function livingThread(root: string, pid: string): string {
  if (!/^State:\tZ/m.test(readOr(`${root}/proc/${pid}/status`))) return pid;
  const others = listOr(`${root}/proc/${pid}/task`).filter((thread) => thread !== pid);
  return others.find((thread) => !/^State:\t[ZX]/m.test(readOr(`${root}/proc/${thread}/status`))) ?? pid;
}

/**
 * Bytes that a box takes at most: what its processes do not share with a file, and what its private file
 * systems and its sockets hold. Pages shared after a fork count once for each process, so it can say too much.
 */
export function memoryAtMost(root: string): number {
  const kibibytes = processesIn(root).map((pid) => {
    const status = readOr(`${root}/proc/${pid}/status`);
    return sum(status, /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm);
  });
  return kernelBytes(root) + KIBIBYTE * kibibytes.reduce((total, each) => total + each, 0);
}

/** The same with each shared page counted once. Slow: the kernel walks every page table. Stops above `enough`. */
export async function memoryExactly(root: string, enough: number): Promise<number> {
  let bytes = kernelBytes(root);
  for (const pid of processesIn(root)) {
    const rollup = await readFile(`${root}/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += KIBIBYTE * sum(rollup, /^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$/gm);
    if (bytes > enough) break;
  }
  return bytes;
}

/** What the kernel keeps for the box beside its processes. */
function kernelBytes(root: string): number {
  const sizes = [BOX_HOME, BOX_TMP, BOX_SHM].map((path) => {
    const { blocks, bfree, bsize, files, ffree } = statfsSync(root + path);
    return (blocks - bfree) * bsize + (files - ffree) * BYTES_OF_AN_ENTRY;
  });
  const [, sockets = '0'] = /^sockets: used (\d+)$/m.exec(readOr(`${root}/proc/1/net/sockstat`)) ?? [];
  return sizes.reduce((total, each) => total + each, Number(sockets) * BYTES_OF_A_SOCKET);
}

function sum(text: string, lines: RegExp): number {
  return [...text.matchAll(lines)].reduce((total, [, kibibytes]) => total + Number(kibibytes), 0);
}

function listOr(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A process may end between being listed and being read. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
