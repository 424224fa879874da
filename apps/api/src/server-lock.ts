import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A lock file is empty for a moment between being made and being written. */
const WRITTEN_WITHIN_MS = 10_000;

/**
 * One server per home folder: `server.lock` names the process that holds it, and when that one started, since
 * a process id comes back. The lock of a process that is gone is taken over, by one of those who try.
 */
export class ServerLock {
  private readonly path: string;
  private readonly mine: string;

  private constructor(home: string) {
    this.path = join(home, 'server.lock');
    this.mine = `${process.pid} ${startOf(process.pid)}`;
  }

  /** Undefined when another server holds the home. */
  static take(home: string): ServerLock | undefined {
    const lock = new ServerLock(home);
    while (!lock.write(lock.mine)) {
      const holder = lock.read(lock.path);
      if (holder === undefined) continue;
      if (lock.isHeldBy(holder)) return undefined;
      lock.discard(holder);
    }
    return lock;
  }

  release(): void {
    if (this.read(this.path) === this.mine) rmSync(this.path, { force: true });
  }

  private write(content: string): boolean {
    try {
      writeFileSync(this.path, content, { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  private read(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  }

  private isHeldBy(holder: string): boolean {
    if (holder === '') {
      const made = statSync(this.path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      return Date.now() - made < WRITTEN_WITHIN_MS;
    }
    const [pid = '', start = ''] = holder.split(' ');
    return isRunning(Number(pid)) && startOf(Number(pid)) === start;
  }

  /** Two may find the same dead holder: what was moved away is put back when it is no longer that one's. */
  private discard(holder: string): void {
    const aside = `${this.path}.${randomBytes(4).toString('hex')}`;
    try {
      renameSync(this.path, aside);
    } catch {
      return; // another process was faster
    }
    const moved = this.read(aside);
    if (moved !== undefined && moved !== holder) this.write(moved);
    rmSync(aside, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ticks from boot to the start of the process; unknown, and then not compared, where there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
