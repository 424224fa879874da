import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PREFIX = 'claude-api-jest-';
export const TEST_HOME_VARIABLE = 'CLAUDE_API_TEST_HOME';
/** Written by the first spec that asks for a database: the server's data folder, and its URL. */
export const DATA_FOLDER_FILE = 'data-folder';
export const URL_FILE = 'url';

/**
 * Names the folder of this test run, where the first spec that asks for a database starts Postgres, and cleans
 * up after runs that were killed. Runs outside Jest's module resolution: it can import nothing of ours.
 */
export default async function globalSetup(): Promise<void> {
  for (const home of abandonedHomes()) await removeHome(home);
  const home = join(tmpdir(), PREFIX + process.pid);
  mkdirSync(home, { mode: 0o700 });
  process.env[TEST_HOME_VARIABLE] = home;
  globalThis.removeTestHome = () => removeHome(home);
}

declare global {
  /** Left for global-teardown.ts. */
  var removeTestHome: () => Promise<void>;
}

/** Stops the cluster and removes every folder of the run. Its data is worth nothing: no clean shutdown. */
async function removeHome(home: string): Promise<void> {
  const pointer = join(home, DATA_FOLDER_FILE);
  if (existsSync(pointer)) {
    const data = readFileSync(pointer, 'utf8');
    await stopServer(join(data, 'postmaster.pid'));
    rmSync(dirname(data), { recursive: true, force: true, maxRetries: 5 });
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}

function abandonedHomes(): string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(PREFIX) && !isAlive(Number(name.slice(PREFIX.length))))
    .map((name) => join(tmpdir(), name))
    .filter((home) => statSync(home).uid === (process.getuid?.() ?? 0));
}

async function stopServer(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (!isAlive(pid)) return;
  process.kill(pid, 'SIGQUIT');
  for (let tries = 0; tries < 100 && existsSync(pidFile) && isAlive(pid); tries++) await sleep(50);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // another user's
  }
}
