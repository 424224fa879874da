import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SkillRef } from '../run-spec.js';

/** Skills reach the CLI as those of a plugin of this name: `granted:changelog`. */
export const SKILL_PLUGIN = 'granted';

/** Lays the granted skills out as a plugin of the CLI, in a folder of the run. */
export async function makeSkillPlugin(pluginDir: string, skills: readonly SkillRef[]): Promise<void> {
  await mkdir(join(pluginDir, '.claude-plugin'), { recursive: true });
  const manifest = { name: SKILL_PLUGIN, version: '1.0.0', description: 'The skills that this run may use.' };
  await writeFile(join(pluginDir, '.claude-plugin', 'plugin.json'), JSON.stringify(manifest));
  await Promise.all(
    skills.map(({ name, dir }) => cp(dir, join(pluginDir, 'skills', name), { recursive: true })),
  );
}
