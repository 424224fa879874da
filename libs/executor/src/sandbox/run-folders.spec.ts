import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppConfig } from '@app/config';
import { processName } from './process-table.js';
import { RunFolders } from './run-folders.js';

describe('the folders of runs', () => {
  const instanceId = `spec-${process.pid}`;
  const base = join(tmpdir(), `claude-api-${instanceId}`);
  const folders = new RunFolders({ instanceId } as AppConfig);
  const children: ChildProcess[] = [];

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(base, { recursive: true, force: true });
  });

  async function sleeper(env: Record<string, string>, cwd?: string): Promise<ChildProcess> {
    const child = spawn('sleep', ['60'], { env: { PATH: '/usr/bin:/bin', ...env }, cwd, detached: true });
    children.push(child);
    await once(child, 'spawn');
    return child;
  }

  it('are of the owner alone, and gone after the run', async () => {
    const folder = await folders.make('run_1');
    expect(((await stat(folder.configDir)).mode & 0o777).toString(8)).toBe('700');
    expect(((await stat(folder.root)).mode & 0o777).toString(8)).toBe('700');
    // Passed through by the account of the boxes, listed by nobody.
    expect(((await stat(base)).mode & 0o777).toString(8)).toBe('711');
    await folders.remove(folder);
    await folders.removeOwn();
    await expect(readdir(base)).rejects.toThrow('ENOENT');
  });

  it('are not made where somebody else could put something into them', async () => {
    const elsewhere = `${base}-elsewhere`;
    await mkdir(join(elsewhere, '1-1'), { recursive: true });
    await symlink(elsewhere, base);
    await expect(folders.reap()).rejects.toThrow('made by somebody else');
    await expect(new RunFolders({ instanceId } as AppConfig).make('run_2')).rejects.toThrow('somebody else');
    expect(await readdir(elsewhere)).toContain('1-1');
    await rm(base);
    await rm(elsewhere, { recursive: true });
  });

  it('of a dead owner are cleared with the processes that run from them, those of a living one are not', async () => {
    const owner = await sleeper({});
    const living = join(base, (await processName(owner.pid as number)) as string);
    // The pid is in use again, by a process that started at another time.
    const dead = join(base, `${process.pid}-1`);
    await mkdir(join(living, 'run_2'), { recursive: true });
    await mkdir(join(dead, 'run_3'), { recursive: true });
    const working = await sleeper({ HOME: join(living, 'run_2') });
    const orphan = await sleeper({ HOME: join(dead, 'run_3') });
    const bystander = await sleeper({ HOME: `${base}-other` });
    // A box knows nothing of the folder, but its outer process works there.
    const box = await sleeper({}, join(dead, 'run_3'));
    const ended = Promise.all([once(orphan, 'exit'), once(box, 'exit')]);

    expect(await folders.reap()).toBe(2);
    expect(await ended).toEqual([
      [null, 'SIGKILL'],
      [null, 'SIGKILL'],
    ]);
    expect(await readdir(base)).toEqual([living.slice(base.length + 1)]);
    expect([working.exitCode, working.signalCode, bystander.signalCode]).toEqual([null, null, null]);
  });
});
