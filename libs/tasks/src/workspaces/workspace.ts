import { Logger } from '@nestjs/common';
import type { CollectedArtifact } from '../artifacts/artifact.js';
import type { ArtifactStore } from '../artifacts/artifact-store.js';
import { codeOf, type FolderHandle } from './folder-handle.js';
import { removeTree } from './remove-tree.js';
import { type FoundFile, type SkipReason, TreeWalk } from './tree-walk.js';

const MAX_ARTIFACTS = 1_000;

/** How a file looked before the run, by its path. */
export type Snapshot = Map<string, ReturnType<typeof look>>;

/** `whole` cannot stay the same when a file is changed: the time of the last change of its inode is not to be set. */
export function look({ stats: { uid, ino, size, mtimeNs, ctimeNs } }: FoundFile) {
  const content = `${ino}:${size}:${mtimeNs}`;
  return { uid, content, whole: `${content}:${ctimeNs}` };
}

/** A file that only changed hands, from the service to the account of the boxes, is the same. */
function isSame(before: ReturnType<typeof look> | undefined, file: FoundFile): boolean {
  if (!before) return false;
  const now = look(file);
  return before.whole === now.whole || (before.uid !== now.uid && before.content === now.content);
}

export interface Collection {
  artifacts: CollectedArtifact[];
  /** What the run left besides, and why it is not among them. */
  skipped: { reason: SkipReason; count: number }[];
}

interface WorkspaceFacts {
  dir: string;
  taskId: string;
  isThrowAway: boolean;
  quotaBytes: number;
  before: Snapshot;
  /** SHA-256 of the files that came with the request, by path. */
  inputs: Map<string, string>;
}

/** The folder of one run. It is meant as it was when it was prepared, whatever has taken its place since. */
export class Workspace {
  private readonly logger = new Logger(Workspace.name);

  constructor(
    private readonly facts: WorkspaceFacts,
    private readonly root: FolderHandle,
    private readonly store: ArtifactStore,
  ) {}

  get dir(): string {
    return this.facts.dir;
  }

  /**
   * Copies the regular files that the run made or changed, at most 1,000 and no more bytes than the quota.
   * Called when nothing runs in the workspace any more; once.
   */
  async collect(): Promise<Collection> {
    const walk = new TreeWalk(this.root);
    const artifacts: CollectedArtifact[] = [];
    let room = this.facts.quotaBytes;
    for await (const file of walk.files()) {
      if (isSame(this.facts.before.get(file.path), file)) continue;
      if (artifacts.length === MAX_ARTIFACTS) {
        walk.skip('too_many');
        continue;
      }
      const kept = await this.keep(file, room, walk);
      if (!kept) continue;
      artifacts.push(kept);
      room -= kept.sizeBytes;
    }
    return { artifacts, skipped: [...walk.skipped].map(([reason, count]) => ({ reason, count })) };
  }

  /** Afterwards a throw-away folder is gone; the named one stays for the project's next task. */
  async release(): Promise<void> {
    await this.root.close();
    if (!this.facts.isThrowAway) return;
    try {
      await removeTree(this.dir);
    } catch (error) {
      // The task has ended well or badly for other reasons; the sweep comes by again.
      this.logger.warn({ msg: 'a workspace could not be removed', task_id: this.facts.taskId, err: error });
    }
  }

  private async keep(file: FoundFile, room: number, walk: TreeWalk): Promise<CollectedArtifact | undefined> {
    const { taskId, inputs } = this.facts;
    if (file.stats.size > room) {
      walk.skip('too_large');
      return undefined;
    }
    const source = await this.open(file, walk);
    if (!source) return undefined;
    try {
      const kept = await this.store.keep(taskId, file.path, source, room);
      if (!kept) walk.skip('too_large');
      if (!kept || kept.sha256 !== inputs.get(file.path)) return kept;
      await this.store.drop(kept.blob);
      return undefined;
    } finally {
      await source.close();
    }
  }

  private async open(file: FoundFile, walk: TreeWalk) {
    try {
      const source = await file.folder.read(file.name);
      if (!source) walk.skip('special_file');
      return source;
    } catch (error) {
      // Closed to its owner, or replaced meanwhile.
      if (!['EACCES', 'ENOENT', 'ELOOP', 'ENXIO'].includes(codeOf(error) ?? '')) throw error;
      walk.skip('unreadable');
      return undefined;
    }
  }
}
