import { randomUUID } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { ArtifactsRepository, ArtifactStore } from '@app/tasks';

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

  async task(project: string, id = newTaskId()): Promise<string> {
    await this.client.query(
      `INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy)
       VALUES ($1, $2, 'key_none', 'enterprise', 'a test', 'haiku', '{}')`,
      [id, project],
    );
    return id;
  }

  /** As if a run had left it: a copy in the store and its row. */
  async keep(
    app: { get<T>(token: new (...args: never[]) => T, options?: { strict: boolean }): T },
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
    await app.get(ArtifactsRepository, { strict: false }).insert(taskId, [artifact]);
    return artifact;
  }
}
