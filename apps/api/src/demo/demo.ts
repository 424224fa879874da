import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppConfig, loadConfig } from '@app/config';
import { startDemoModel } from './demo-model.js';
import { writeDemoConfig } from './demo-sample.js';

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
