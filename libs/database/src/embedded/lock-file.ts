import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;
/** Longer than any start takes. A lock that does not change hands for so long is a dead process's whose pid was reused. */
const PATIENCE_MS = 90_000;

/** Runs the work while this process alone holds the lock file; a lock whose holder is dead is taken over. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mine = `${process.pid} ${randomBytes(8).toString('hex')}`;
  let lastHolder: string | undefined;
  let waitedMs = 0;
  while (!take(path, mine)) {
    const holder = read(path);
    waitedMs = holder === lastHolder ? waitedMs + POLL_MS : 0;
    lastHolder = holder;
    // An empty file is one that its holder has just made and not written yet.
    if (holder !== undefined && ((holder !== '' && !alive(holder)) || waitedMs > PATIENCE_MS)) {
      discard(path, holder);
    } else {
      await sleep(POLL_MS);
    }
  }
  try {
    return await work();
  } finally {
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

function take(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Windows answers EPERM while another process is removing the file.
    if (code === 'EEXIST' || (code === 'EPERM' && process.platform === 'win32')) return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Two processes may find the same dead holder: what was moved away is put back when it is no longer that one's. */
function discard(path: string, holder: string): void {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another process was faster
  }
  const moved = read(aside);
  if (moved !== undefined && moved !== holder) take(path, moved);
  rmSync(aside, { force: true });
}

function alive(holder: string): boolean {
  try {
    return process.kill(Number.parseInt(holder, 10), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
