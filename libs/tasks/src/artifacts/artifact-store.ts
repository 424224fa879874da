import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { lookup } from 'mime-types';
import { newId } from '@app/common';
import { AppConfig } from '@app/config';
import type { CollectedArtifact } from './artifact.js';

const BLOB_PATTERN = /^task_[0-9a-z]+\/art_[0-9a-f]{32}$/;
const TASK_PATTERN = /^task_[0-9a-z]+$/;

/**
 * The copies of artifacts, in files that are named by us and never by a task. What was kept is served from
 * here and never from a workspace, so nothing that runs later can change it.
 */
@Injectable()
export class ArtifactStore {
  private readonly folder: string;

  constructor(config: AppConfig) {
    this.folder = join(config.blobDir, 'artifacts');
  }

  /** Copies an open file; undefined when it has more than `mostBytes`. */
  async keep(
    taskId: string,
    path: string,
    source: FileHandle,
    mostBytes: number,
  ): Promise<CollectedArtifact | undefined> {
    const id = newId('art');
    const blob = `${taskId}/${id}`;
    const target = this.fileOf(blob);
    await mkdir(join(this.folder, taskId), { recursive: true, mode: 0o700 });
    const copied = await copy(source, target, mostBytes);
    if (!copied) return undefined;
    return { id, path, ...copied, mediaType: lookup(path) || 'application/octet-stream', blob };
  }

  /** For reading; undefined when it is no longer kept. */
  async open(blob: string): Promise<FileHandle | undefined> {
    return open(this.fileOf(blob), 'r').catch(ifMissing);
  }

  async has(blob: string): Promise<boolean> {
    return (await stat(this.fileOf(blob)).catch(ifMissing)) !== undefined;
  }

  async drop(blob: string): Promise<void> {
    await unlink(this.fileOf(blob)).catch(ifMissing);
  }

  /** The tasks that have a folder here which nothing was added to since `before`. */
  async *tasksUntouchedSince(before: Date): AsyncGenerator<string> {
    const folder = await opendir(this.folder).catch(ifMissing);
    if (!folder) return;
    for await (const { name } of folder) {
      if (!TASK_PATTERN.test(name)) continue;
      const stats = await stat(join(this.folder, name)).catch(ifMissing);
      if (stats && stats.mtime < before) yield name;
    }
  }

  async dropTask(taskId: string): Promise<void> {
    if (!TASK_PATTERN.test(taskId)) throw new Error('not a task id');
    await rm(join(this.folder, taskId), { recursive: true, force: true });
  }

  private fileOf(blob: string): string {
    if (!BLOB_PATTERN.test(blob)) throw new Error('not the name of a blob');
    return join(this.folder, blob);
  }
}

/** Never leaves half a copy. */
async function copy(source: FileHandle, path: string, mostBytes: number) {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const target = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of source.createReadStream({ autoClose: false, end: mostBytes })) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      await target.writeFile(chunk);
    }
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await target.close();
  }
  if (sizeBytes <= mostBytes) return { sizeBytes, sha256: hash.digest('hex') };
  await unlink(path);
  return undefined;
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
