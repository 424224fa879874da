import { randomUUID } from 'node:crypto';
import { rmdir, unlink } from 'node:fs/promises';
import { codeOf, FolderHandle } from './folder-handle.js';

/** Each pass takes off a level; what is still not empty after so many is left to the next sweep. */
const MAX_PASSES = 20_000;

type OnFolder = (name: Buffer) => Promise<void>;

/**
 * Removes a folder and all in it, or the link that stands in its place; nothing there = nothing to do. Folders
 * are moved up to the top before they are emptied: Node's own `rm` fails on paths over 4,096 bytes and on
 * folders without write permission, and a task may leave both behind.
 */
export async function removeTree(path: string): Promise<void> {
  const root = await openTop(path);
  if (!root) return;
  try {
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      if ((await empty(root, (name) => removeFolder(root, name))) === 0) break;
    }
  } finally {
    await root.close();
  }
  await rmdir(path);
}

async function openTop(path: string): Promise<FolderHandle | undefined> {
  try {
    return await FolderHandle.open(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) !== 'ENOTDIR' && codeOf(error) !== 'ELOOP') throw error;
    await unlink(path);
    return undefined;
  }
}

async function removeFolder(root: FolderHandle, name: Buffer): Promise<void> {
  await root.unlock(name);
  const folder = await root.folder(name);
  try {
    await empty(folder, async (child) => {
      await folder.unlock(child);
      await folder.moveTo(child, root, randomUUID());
    });
  } finally {
    await folder.close();
  }
  // Not empty after all: the next pass meets it again.
  await unless('ENOTEMPTY', root.removeFolder(name));
}

/** Unlinks all but the folders, which are handed over one by one. Returns how many names there were. */
async function empty(folder: FolderHandle, onFolder: OnFolder): Promise<number> {
  let found = 0;
  for await (const names of folder.names()) {
    found += names.length;
    const folders = await Promise.all(
      names.map(async (name) => {
        const stats = await unless('ENOENT', folder.stat(name));
        if (stats?.isDirectory()) return [name];
        if (stats) await unless('ENOENT', folder.unlink(name));
        return [];
      }),
    );
    for (const name of folders.flat()) await onFolder(name);
  }
  return found;
}

/** Undefined where this failure is as good as success. */
async function unless<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === code) return undefined;
    throw error;
  }
}
