import { chmod, mkdir, opendir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { AppError, Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { ArtifactStore } from '../artifacts/artifact-store.js';
import { ArtifactsRepository } from '../artifacts/artifacts.repository.js';
import { codeOf, FolderHandle } from './folder-handle.js';
import { type InputFile, writeInputFiles } from './input-files.js';
import { removeTree } from './remove-tree.js';
import { TREE_LIMITS, TreeWalk } from './tree-walk.js';
import { look, type Snapshot, Workspace } from './workspace.js';

export interface WorkspaceRequest {
  taskId: string;
  attempt: number;
  project: string;
  /** Absent = a throw-away one. */
  workspace?: string;
  files: InputFile[];
  quotaBytes: number;
}

const SLUG = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SCRATCH_NAME = /^(task_[0-9a-z]+)\.(\d{1,9})$/;
/** Copies are made before their rows are committed: only folders that rested this long are without an owner. */
const UNOWNED_AFTER_MS = 3_600_000;
/** What one sweep removes at most; the next one goes on. */
const DAY_MS = 86_400_000;
const SWEEP_LIMIT = 1_000;

/**
 * The folders that tasks work in. Each task has its own throw-away one, or the named one of its project, which
 * no other project can name. The folder is open to its owner alone; those above it can be passed, not listed.
 */
@Injectable()
export class Workspaces {
  private readonly logger = new Logger(Workspaces.name);

  constructor(
    private readonly config: AppConfig,
    private readonly store: ArtifactStore,
    private readonly artifacts: ArtifactsRepository,
    private readonly clock: Clock,
  ) {}

  /** Throws `workspace_full` or `invalid_request`; then there is nothing to release. */
  async prepare(request: WorkspaceRequest): Promise<Workspace> {
    const { taskId, quotaBytes } = request;
    const isThrowAway = request.workspace === undefined;
    const dir = isThrowAway ? await this.makeScratch(request) : await this.makeNamed(request);
    const root = await FolderHandle.open(dir);
    try {
      const before = await survey(root, request);
      const inputs = await writeInputFiles(root, request.files);
      for (const path of inputs.keys()) before.delete(path);
      return new Workspace({ dir, taskId, isThrowAway, quotaBytes, before, inputs }, root, this.store);
    } catch (error) {
      await root.close();
      if (isThrowAway) await removeTree(dir);
      throw error;
    }
  }

  /** Removes what tasks left: throw-away folders, copies that are old, and those that no row knows. */
  async sweep(isRunning: (taskId: string, attempt: number) => Promise<boolean>): Promise<void> {
    const scratch = await this.sweepScratch(isRunning);
    const copies = (await this.sweepExpired()) + (await this.sweepArtifacts());
    if (scratch + copies > 0) this.logger.log({ msg: 'cleared what tasks left behind', scratch, copies });
  }

  private async makeScratch({ taskId, attempt }: WorkspaceRequest): Promise<string> {
    const name = `${taskId}.${attempt}`;
    if (!SCRATCH_NAME.test(name)) throw new Error('not a task id and attempt');
    const dir = join(await this.shelf('scratch'), name);
    await removeTree(dir);
    await mkdir(dir, { mode: 0o700 });
    return dir;
  }

  private async makeNamed({ project, workspace = '' }: WorkspaceRequest): Promise<string> {
    if (!SLUG.test(project) || !SLUG.test(workspace))
      throw new Error('not the name of a project or workspace');
    const dir = join(await this.shelf('named', project), workspace);
    try {
      await mkdir(dir, { mode: 0o700 });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    return dir;
  }

  /** A folder of ours, made when it is missing. The account that runs the boxes must be able to pass. */
  private async shelf(...names: string[]): Promise<string> {
    const path = join(this.config.blobDir, ...names);
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return path;
    for (let made = path; made.length >= first.length; made = dirname(made)) await chmod(made, 0o711);
    return path;
  }

  private async sweepScratch(
    isRunning: (taskId: string, attempt: number) => Promise<boolean>,
  ): Promise<number> {
    const shelf = join(this.config.blobDir, 'scratch');
    const folder = await opendir(shelf).catch(ifMissing);
    if (!folder) return 0;
    let removed = 0;
    for await (const { name } of folder) {
      const [, taskId, attempt] = SCRATCH_NAME.exec(name) ?? [];
      if (removed === SWEEP_LIMIT) break;
      if (taskId === undefined || (await isRunning(taskId, Number(attempt)))) continue;
      removed += await this.attempt(() => removeTree(join(shelf, name)));
    }
    return removed;
  }

  /** What was kept for as long as it is to be kept. That it was there stays known as long as the task. */
  private async sweepExpired(): Promise<number> {
    const days = this.config.artifactsRetentionDays;
    const before = new Date(this.clock.now().getTime() - days * DAY_MS);
    let removed = 0;
    for await (const taskId of this.store.tasksUntouchedSince(before)) {
      if (removed === SWEEP_LIMIT) break;
      removed += await this.attempt(() => this.store.dropTask(taskId));
    }
    return removed;
  }

  private async sweepArtifacts(): Promise<number> {
    const before = new Date(this.clock.now().getTime() - UNOWNED_AFTER_MS);
    let removed = 0;
    for await (const taskId of this.store.tasksUntouchedSince(before)) {
      if (removed === SWEEP_LIMIT) break;
      if (await this.artifacts.hasAny(taskId)) continue;
      removed += await this.attempt(() => this.store.dropTask(taskId));
    }
    return removed;
  }

  /** One folder that cannot be removed must not keep the others. */
  private async attempt(work: () => Promise<void>): Promise<number> {
    try {
      await work();
      return 1;
    } catch (error) {
      this.logger.warn({ msg: 'a folder could not be removed', err: error });
      return 0;
    }
  }
}

/** Measures what is there and remembers how each file looks. */
async function survey(root: FolderHandle, request: WorkspaceRequest): Promise<Snapshot> {
  const { workspace, files, quotaBytes } = request;
  const walk = new TreeWalk(root, true);
  const before: Snapshot = new Map();
  for await (const file of walk.files()) before.set(file.path, look(file));
  const added = files.reduce((sum, { content }) => sum + content.length, 0);
  if (!walk.isWhole) {
    const { entries, depth } = TREE_LIMITS;
    throw full(workspace, `more than ${entries} files or folders nested over ${depth} deep`);
  }
  if (walk.allocatedBytes + added > quotaBytes) {
    throw full(
      workspace,
      `${walk.allocatedBytes + added} of ${quotaBytes} bytes, the files sent along included`,
    );
  }
  return before;
}

function full(workspace: string | undefined, holds: string): AppError {
  return workspace === undefined
    ? new AppError('workspace_full', `the workspace would hold ${holds}: send fewer or smaller files`)
    : new AppError(
        'workspace_full',
        `the workspace ${workspace} holds ${holds}: name another workspace, or have the operator empty this one`,
      );
}

function ifMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
  return undefined;
}
