import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { newId } from '@app/common';
import { type AppConfig, loadConfig } from '@app/config';
import { Workspaces } from '@app/tasks';
import { startDemoModel } from './demo-model.js';
import { DEMO_PROJECT, SAMPLE_FILES, SAMPLE_WORKSPACE, writeDemoConfig } from './demo-sample.js';

/** Settings of a server whose model is scripted, and whose agents and skills are the demo's own. */
export async function demoConfig(
  { port, host }: { port?: number; host?: string },
  undo: (() => void | Promise<void>)[],
): Promise<AppConfig> {
  const model = await startDemoModel();
  undo.push(() => model.stop());
  const claudeConfigDir = await mkdtemp(join(tmpdir(), 'claude-api-demo-'));
  undo.push(() => rm(claudeConfigDir, { recursive: true, force: true }));
  await writeDemoConfig(claudeConfigDir);
  const credential = { kind: 'api_key', secret: 'demo' } as const;
  return loadConfig({ demo: true, port, host, credential, modelBaseUrl: model.url, claudeConfigDir });
}

/** Puts the sample into the workspace of the demo's project, as it was at first. */
export async function placeSample(app: INestApplicationContext): Promise<void> {
  const workspace = await app.get(Workspaces, { strict: false }).prepare({
    ...{ taskId: newId('task'), attempt: 0, project: DEMO_PROJECT, workspace: SAMPLE_WORKSPACE },
    files: SAMPLE_FILES.map(({ path, content }) => ({ path, content: Buffer.from(content) })),
    quotaBytes: 1_000_000,
  });
  await workspace.release();
}
