import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';

export interface SkillFile {
  content: Buffer;
  executable: boolean;
}

/**
 * Keeps vetted copies of skills in the home folder, each named for what it holds: a copy is complete or not
 * there, is never changed, and is made once however often it is asked for.
 */
@Injectable()
export class SkillStore {
  private readonly base: string;

  constructor(config: AppConfig) {
    this.base = join(config.home, 'skills');
  }

  /** Whether every copy is still there. */
  async has(skills: ReadonlyMap<string, { dir: string }>): Promise<boolean> {
    const found = await Promise.all([...skills.values()].map(({ dir }) => exists(dir)));
    return found.every(Boolean);
  }

  /** `files` by their path inside the skill. Returns the folder that holds them. */
  async keep(files: ReadonlyMap<string, SkillFile>): Promise<string> {
    const dir = join(this.base, digestOf(files));
    if (await exists(dir)) return dir;
    const unfinished = `${dir}.${randomUUID()}`;
    try {
      for (const [path, { content, executable }] of files) {
        const target = join(unfinished, path);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await writeFile(target, content, { mode: executable ? 0o555 : 0o444, flag: 'wx' });
      }
      await rename(unfinished, dir);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      // Another process of this home was quicker with the same copy.
      if (!(await exists(dir))) throw error;
    }
    return dir;
  }
}

function digestOf(files: ReadonlyMap<string, SkillFile>): string {
  const hash = createHash('sha256');
  for (const [path, { content, executable }] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${Buffer.byteLength(path)} ${path} ${executable} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
