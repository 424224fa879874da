import { randomUUID } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import pg from 'pg';
import { ArtifactsRepository, ArtifactStore } from '@app/tasks';

/** What gives a part of the service by its class. */
type Container = Pick<INestApplicationContext, 'get'>;
type CollectedArtifact = Parameters<ArtifactsRepository['insert']>[1][number];

export const newTaskId = () => `task_${randomUUID().replaceAll('-', '')}`;

/** Rows of tasks and artifacts, written beside the service. */
export class ArtifactRows {
  private constructor(private readonly client: pg.Client) {}

  static async open(databaseUrl: string): Promise<ArtifactRows> {
    const client = new pg.Client(databaseUrl);
    await client.connect();
    return new ArtifactRows(client);
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** One that has ended: no worker takes it. */
  async task(project: string, id = newTaskId()): Promise<string> {
    await this.client.query(
      `INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy, status, finished_at)
       VALUES ($1, $2, 'key_none', 'enterprise', 'a test', 'haiku', '{}', 'succeeded', now())`,
      [id, project],
    );
    return id;
  }

  /** As if a run had left it: a copy in the store and its row. */
  async keep(
    app: Container,
    taskId: string,
    path: string,
    content: Buffer | string,
    row: { mediaType?: string } = {},
  ) {
    const source = join(tmpdir(), `artifact-${randomUUID()}`);
    await writeFile(source, content);
    const file = await open(source);
    const kept = await app.get(ArtifactStore, { strict: false }).keep(taskId, path, file, 2 ** 40);
    await file.close();
    await rm(source);
    const artifact = { ...kept!, ...row };
    await this.insert(app, taskId, [artifact]);
    return artifact;
  }

  async insert(app: Container, taskId: string, artifacts: CollectedArtifact[]): Promise<void> {
    await app.get(ArtifactsRepository, { strict: false }).insert(taskId, artifacts);
  }

  async setSize(taskId: string, path: string, bytes: number): Promise<void> {
    await this.client.query('UPDATE task_artifacts SET size_bytes = $3 WHERE task_id = $1 AND path = $2', [
      ...[taskId, path, bytes],
    ]);
  }

  /** Says of an artifact what no run could have left. */
  async setPath(taskId: string, path: string, hostile: string): Promise<void> {
    await this.client.query('UPDATE task_artifacts SET path = $3 WHERE task_id = $1 AND path = $2', [
      ...[taskId, path, hostile],
    ]);
  }
}
