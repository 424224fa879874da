import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';
import { Workspaces, WorkspacesModule } from '@app/tasks';
import { ArtifactRows, newTaskId } from './artifact-rows.js';
import { createTestDatabase } from './test-database.js';

/** Workspaces in a folder of the test's own, over a real database. */
export async function startTestWorkspaces() {
  const root = await mkdtemp(join(tmpdir(), 'workspaces-'));
  await chmod(root, 0o755);
  const database = await createTestDatabase();
  const rows = await ArtifactRows.open(database.url);
  const blobDir = join(root, 'blobs');
  const config = loadConfig({}, { CLAUDE_API_HOME: join(root, 'home'), BLOB_DIR: blobDir });
  const imports = [
    CommonModule,
    ConfigModule.of(config),
    DatabaseModule.forUrl(database.url),
    WorkspacesModule,
  ];
  const app = await (await Test.createTestingModule({ imports }).compile()).init();
  const workspaces = app.get(Workspaces);
  type Request = Parameters<Workspaces['prepare']>[0];
  return {
    root,
    blobDir,
    rows,
    app,
    workspaces,
    prepare: (request: Partial<Request> = {}) =>
      workspaces.prepare({
        ...{ taskId: newTaskId(), attempt: 1, project: 'test-app', files: [], quotaBytes: 2 ** 20 },
        ...request,
      }),
    stop: async () => {
      await app.close();
      await rows.close();
      await database.drop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export type TestWorkspaces = Awaited<ReturnType<typeof startTestWorkspaces>>;
