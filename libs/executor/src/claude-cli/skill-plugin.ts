import { cp, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
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

/** Changes with anything in the folders of the skills. */
export async function skillsFingerprint(skills: readonly SkillRef[]): Promise<unknown> {
  return Promise.all(
    skills.map(async ({ name, dir }) => {
      const entries = await readdir(dir, { recursive: true });
      const files = await Promise.all(
        entries.toSorted().map(async (path) => {
          const { ino, size, mtimeMs, ctimeMs } = await lstat(join(dir, path));
          return [path, ino, size, mtimeMs, ctimeMs];
        }),
      );
      return [name, dir, files];
    }),
  );
}
