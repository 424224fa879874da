import { createHash } from 'node:crypto';
import { AppError } from '@app/common';
import { isPortablePath } from '../artifacts/portable-path.js';
import { codeOf, FolderHandle } from './folder-handle.js';

export interface InputFile {
  path: string;
  content: Buffer;
}

/**
 * Writes the files of a request into a workspace in which something hostile may have run before. A link, FIFO
 * or file in the way is removed, never followed or opened; a folder in the way of a file is left and refused.
 * Returns the SHA-256 of each by its path.
 */
export async function writeInputFiles(root: FolderHandle, files: InputFile[]): Promise<Map<string, string>> {
  refuseClashes(files);
  const hashes = new Map<string, string>();
  for (const { path, content } of files) {
    await write(root, path, content);
    hashes.set(path, createHash('sha256').update(content).digest('hex'));
  }
  return hashes;
}

/** One file twice, or as a folder too: the order would decide which of them is there. */
function refuseClashes(files: InputFile[]): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    if (!isPortablePath(path)) throw refusal('a path is not a plain relative one');
    if (paths.has(path)) throw refusal(`${path} is given twice`);
    paths.add(path);
  }
  for (const path of paths) {
    const above = foldersOf(path).find((folder) => paths.has(folder));
    if (above !== undefined) throw refusal(`${above} is given as a file and as a folder`);
  }
}

/** `a`, `a/b` for `a/b/c`. */
function foldersOf(path: string): string[] {
  const steps = path.split('/');
  return steps.slice(0, -1).map((_, index) => steps.slice(0, index + 1).join('/'));
}

async function write(root: FolderHandle, path: string, content: Buffer): Promise<void> {
  const steps = path.split('/');
  const name = steps.pop()!;
  let folder = root;
  try {
    for (const step of steps) {
      const below = await enter(folder, step);
      if (folder !== root) await folder.close();
      folder = below;
    }
    await clear(folder, name, path);
    await folder.create(name, content);
  } finally {
    if (folder !== root) await folder.close();
  }
}

async function enter(folder: FolderHandle, name: string): Promise<FolderHandle> {
  try {
    return await folder.folder(name);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENAMETOOLONG') throw refusal('a name in a path is longer than 255 bytes');
    if (code === 'ENOTDIR' || code === 'ELOOP') await folder.unlink(name);
    else if (code !== 'ENOENT') throw error;
  }
  await folder.makeFolder(name, 0o755);
  return folder.folder(name);
}

async function clear(folder: FolderHandle, name: string, path: string): Promise<void> {
  try {
    await folder.unlink(name);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENAMETOOLONG') throw refusal('a name in a path is longer than 255 bytes');
    if (code === 'EISDIR' || code === 'EPERM') throw refusal(`${path} is a folder in the workspace`);
    if (code !== 'ENOENT') throw error;
  }
}

const refusal = (message: string) => new AppError('invalid_request', `files: ${message}`, { param: 'files' });
