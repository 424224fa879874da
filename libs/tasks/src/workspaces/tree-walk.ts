import type { BigIntStats } from 'node:fs';
import { isPortablePath } from '../artifacts/portable-path.js';
import { codeOf, type FolderHandle } from './folder-handle.js';

/** What a walk looks at before it gives up. */
export const TREE_LIMITS = { entries: 100_000, depth: 64 } as const;
/** Nobody asked for these, and they are many. */
const INTERNAL_FOLDERS = new Set(['.git', 'node_modules']);

/** Why something in a workspace is not among the artifacts. */
export type SkipReason =
  'special_file' | 'internal_folder' | 'unusable_name' | 'unreadable' | 'too_deep' | 'too_many' | 'too_large';

export interface FoundFile {
  /** From the root, with slashes. */
  path: string;
  folder: FolderHandle;
  name: Buffer;
  stats: BigIntStats;
}

interface Frame {
  folder: FolderHandle;
  /** Ends in a slash, or is empty for the root; null = what lies here is counted and not shown. */
  path: string | null;
  subfolders: Buffer[];
}

/**
 * Finds the regular files of a hostile folder, in constant depth of stack and bounded time: each folder is
 * reached from the open one above it, no link is followed, and what is not shown is counted by its reason.
 * With `everything`, internal folders are walked too, so that `allocatedBytes` misses nothing.
 */
export class TreeWalk {
  readonly skipped = new Map<SkipReason, number>();
  entries = 0;
  /** What it all takes on the disk: a sparse file is as large as its blocks. */
  allocatedBytes = 0;

  constructor(
    private readonly root: FolderHandle,
    private readonly everything = false,
  ) {}

  /** Whether all of it was seen. */
  get isWhole(): boolean {
    return !this.skipped.has('too_deep') && this.entries <= TREE_LIMITS.entries;
  }

  skip(reason: SkipReason): void {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
  }

  async *files(): AsyncGenerator<FoundFile> {
    const frames: Frame[] = [{ folder: this.root, path: '', subfolders: [] }];
    try {
      yield* this.read(frames[0]!);
      for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
        const name = frame.subfolders.pop();
        const below = name && (await this.enter(frame, name, frames.length));
        if (below) {
          frames.push(below);
          yield* this.read(below);
        } else if (!name) {
          frames.pop();
          if (frame.folder !== this.root) await frame.folder.close();
        }
      }
    } finally {
      for (const { folder } of frames) if (folder !== this.root) await folder.close();
    }
  }

  private async *read(frame: Frame): AsyncGenerator<FoundFile> {
    for await (const names of frame.folder.names()) {
      if (this.entries > TREE_LIMITS.entries) return this.skip('too_many');
      this.entries += names.length;
      const found = await Promise.all(names.map((name) => frame.folder.stat(name).catch(() => null)));
      for (const [index, stats] of found.entries()) {
        const file = stats && this.sort(frame, names[index]!, stats);
        if (file) yield file;
      }
    }
  }

  /** Returns what is to be shown. */
  private sort(frame: Frame, name: Buffer, stats: BigIntStats): FoundFile | null {
    this.allocatedBytes += Number(stats.blocks) * 512;
    if (stats.isDirectory()) {
      frame.subfolders.push(name);
      return null;
    }
    if (frame.path === null) return null;
    if (!stats.isFile()) {
      this.skip('special_file');
      return null;
    }
    const path = pathOf(frame.path, name);
    if (path !== null) return { path, folder: frame.folder, name, stats };
    this.skip('unusable_name');
    return null;
  }

  private async enter(frame: Frame, name: Buffer, depth: number): Promise<Frame | null> {
    const path = frame.path === null ? null : this.shownPath(frame.path, name);
    if (path === null && !this.everything) return null;
    if (depth >= TREE_LIMITS.depth) {
      this.skip('too_deep');
      return null;
    }
    try {
      return { folder: await frame.folder.folder(name), path, subfolders: [] };
    } catch (error) {
      // Replaced or removed meanwhile.
      if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(codeOf(error) ?? '')) throw error;
      this.skip('unreadable');
      return null;
    }
  }

  private shownPath(parent: string, name: Buffer): string | null {
    const path = pathOf(parent, name);
    const isInternal = INTERNAL_FOLDERS.has(name.toString());
    if (path === null) this.skip('unusable_name');
    else if (isInternal) this.skip('internal_folder');
    return path === null || isInternal ? null : `${path}/`;
  }
}

/** Null when the name is not UTF-8 or cannot be offered. */
function pathOf(parent: string, name: Buffer): string | null {
  const text = name.toString();
  const path = parent + text;
  return Buffer.from(text).equals(name) && isPortablePath(path) ? path : null;
}
