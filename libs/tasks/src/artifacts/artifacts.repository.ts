import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { Artifact, CollectedArtifact } from './artifact.js';

const COLUMNS =
  'a.id, a.task_id AS "taskId", a.path, a.size_bytes AS "sizeBytes", a.sha256, a.media_type AS "mediaType", a.blob';

type Row = Omit<Artifact, 'sizeBytes'> & { sizeBytes: string };

/** Every query on artifacts. A `project` of undefined means all projects. */
@Injectable()
export class ArtifactsRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  async insert(taskId: string, artifacts: CollectedArtifact[]): Promise<void> {
    if (artifacts.length === 0) return;
    await this.manager.query(
      `INSERT INTO task_artifacts (task_id, id, path, size_bytes, sha256, media_type, blob)
       SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])`,
      [
        taskId,
        artifacts.map(({ id }) => id),
        artifacts.map(({ path }) => path),
        artifacts.map(({ sizeBytes }) => sizeBytes),
        artifacts.map(({ sha256 }) => sha256),
        artifacts.map(({ mediaType }) => mediaType),
        artifacts.map(({ blob }) => blob),
      ],
    );
  }

  /** Of each task, in the order of their paths. A task without any is not in the map. */
  async of(taskIds: string[]): Promise<Map<string, Artifact[]>> {
    const rows: Row[] = await this.manager.query(
      `SELECT ${COLUMNS} FROM task_artifacts a WHERE a.task_id = ANY($1) ORDER BY a.task_id, a.path`,
      [taskIds],
    );
    const byTask = new Map<string, Artifact[]>();
    for (const artifact of rows.map(artifactOf)) {
      const sameTask = byTask.get(artifact.taskId);
      if (sameTask) sameTask.push(artifact);
      else byTask.set(artifact.taskId, [artifact]);
    }
    return byTask;
  }

  async taskExists(taskId: string, project: string | undefined): Promise<boolean> {
    const rows: unknown[] = await this.manager.query(
      'SELECT 1 FROM tasks WHERE id = $1 AND ($2::text IS NULL OR project = $2)',
      [taskId, project ?? null],
    );
    return rows.length > 0;
  }

  /** In the order of their paths, those after the path of the artifact `after`. */
  async page(taskId: string, after: string | undefined, size: number): Promise<Artifact[]> {
    const rows: Row[] = await this.manager.query(
      `SELECT ${COLUMNS} FROM task_artifacts a
       WHERE a.task_id = $1
         AND ($2::text IS NULL OR a.path > (SELECT path FROM task_artifacts WHERE task_id = $1 AND id = $2))
       ORDER BY a.path LIMIT $3`,
      [taskId, after ?? null, size],
    );
    return rows.map(artifactOf);
  }

  async find(taskId: string, path: string): Promise<Artifact | undefined> {
    const rows: Row[] = await this.manager.query(
      `SELECT ${COLUMNS} FROM task_artifacts a WHERE a.task_id = $1 AND a.path = $2`,
      [taskId, path],
    );
    return rows.map(artifactOf)[0];
  }

  async hasAny(taskId: string): Promise<boolean> {
    const rows: unknown[] = await this.manager.query(
      'SELECT 1 FROM task_artifacts WHERE task_id = $1 LIMIT 1',
      [taskId],
    );
    return rows.length > 0;
  }
}

const artifactOf = (row: Row): Artifact => ({ ...row, sizeBytes: Number(row.sizeBytes) });
