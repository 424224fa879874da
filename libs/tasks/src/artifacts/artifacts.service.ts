import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { AppError, type Principal } from '@app/common';
import type { Artifact } from './artifact.js';
import { ArtifactArchive } from './artifact-archive.js';
import { ArtifactStore } from './artifact-store.js';
import { ArtifactsRepository } from './artifacts.repository.js';
import { isPortablePath } from './portable-path.js';

export interface ArtifactPage {
  data: Artifact[];
  nextCursor: string | null;
}

const PAGE_SIZE = 50;
const CURSOR_PATTERN = /^art_[0-9a-f]{32}$/;
/** The most artifacts that a task can have is 1,000. */
const ALL = 1_000;
const MAX_ARCHIVE_BYTES = 1024 ** 3;

/**
 * What tasks left, for those who may see the task: one of another project is not there. A path is only ever
 * compared with the table's; the file that is opened has a name of ours.
 */
@Injectable()
export class ArtifactsService {
  constructor(
    private readonly artifacts: ArtifactsRepository,
    private readonly store: ArtifactStore,
  ) {}

  /** In the order of their paths. */
  async list(
    principal: Principal,
    taskId: string,
    { limit = PAGE_SIZE, cursor }: { limit?: number; cursor?: string } = {},
  ): Promise<ArtifactPage> {
    if (cursor !== undefined && !CURSOR_PATTERN.test(cursor)) {
      throw new AppError('invalid_request', 'cursor is not one of ours', { param: 'cursor' });
    }
    await this.requireTask(principal, taskId);
    const found = await this.artifacts.page(taskId, cursor, limit + 1);
    const data = found.slice(0, limit);
    return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null };
  }

  /** The content is to be read or destroyed. */
  async open(
    principal: Principal,
    taskId: string,
    path: string,
  ): Promise<{ artifact: Artifact; content: Readable }> {
    await this.requireTask(principal, taskId);
    const artifact = await this.artifacts.find(taskId, path);
    if (!artifact) throw new AppError('not_found', 'the task has no such artifact');
    const file = await this.store.open(artifact.blob);
    if (!file) throw expired();
    if ((await file.stat()).size !== artifact.sizeBytes) {
      await file.close();
      throw new Error(`the copy of ${artifact.id} is damaged`);
    }
    return { artifact, content: file.createReadStream() };
  }

  /** All of them, not yet being read. */
  async archive(principal: Principal, taskId: string): Promise<ArtifactArchive> {
    await this.requireTask(principal, taskId);
    const all = await this.artifacts.page(taskId, undefined, ALL);
    const artifacts = all.filter(({ path }) => isPortablePath(path));
    const bytes = artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (bytes > MAX_ARCHIVE_BYTES) {
      throw new AppError(
        'invalid_request',
        `the artifacts have ${bytes} bytes, an archive at most ${MAX_ARCHIVE_BYTES}: download them one by one`,
      );
    }
    // Before the first byte: an archive that lacks one cannot say so any more.
    for (const { blob } of artifacts) if (!(await this.store.has(blob))) throw expired();
    return new ArtifactArchive(artifacts, this.store);
  }

  private async requireTask(principal: Principal, taskId: string): Promise<void> {
    const reach = principal.kind === 'operator' ? undefined : principal.project;
    if (!(await this.artifacts.taskExists(taskId, reach))) {
      throw new AppError('not_found', 'there is no such task');
    }
  }
}

const expired = () =>
  new AppError('not_found', 'the content has expired: artifacts are kept for a limited time');
