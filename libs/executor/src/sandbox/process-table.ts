import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** `<pid>-<start time>`: names a process for ever, also after its pid is used again. */
export async function processName(pid: number): Promise<string | null> {
  try {
    // The command name (field 2) may hold spaces and brackets: count fields from the last bracket.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid}-${startTime}`;
  } catch {
    return isAlive(pid) ? `${pid}-0` : null;
  }
}

/**
 * Every process that runs from this folder: by its environment, its working folder, or, in a box, by what is
 * mounted there, of which the kernel names the end of the path. Linux only; elsewhere none.
 */
export async function processesOf(folder: string): Promise<number[]> {
  const mounted = `/${basename(dirname(folder))}/${basename(folder)}/`;
  const entries = await readdir('/proc').catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      const workDir = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
      const isOf = environment.includes(folder) || workDir.includes(folder) || mounts.includes(mounted);
      return isOf ? pid : null;
    }),
  );
  return found.filter((pid) => pid !== null);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
