import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '@app/config';
import { type Account, canReach, serverAccount } from './account.js';

/** Where one home's cluster lives and who runs it. `folder` holds data/, password, lock, port and the log. */
export interface ClusterFolder {
  folder: string;
  account?: Account;
}

/** Holds what another account must reach: clusters and copies of the binaries. Only used as root. */
export const SHARED_FOLDER = '/var/lib/claude-api';
const POINTER = 'postgres-folder';

/**
 * The folder of this home's cluster, made when it is missing: `postgres/` in the home, or, where the account
 * that must run Postgres cannot reach the home, one below SHARED_FOLDER that a pointer file in the home names.
 * A home that was removed and made again gets a new folder: without the old secrets the old data is useless.
 */
export function ensureClusterFolder(home: string): ClusterFolder {
  const inside = join(realpathSync(home), 'postgres'); // one name for one folder: it identifies the server
  const account = ownerOf(inside) ?? serverAccount();
  if (canReach(account, home)) {
    mkdirSync(inside, { recursive: true, mode: account ? 0o711 : 0o700 });
    return { folder: inside, account };
  }
  const folder = readPointer(home) ?? makeOutside(home);
  if (!existsSync(folder)) {
    throw new ConfigError(
      `the database folder ${folder} is missing: restore it, or remove ${join(home, POINTER)} to begin with an empty one`,
    );
  }
  return { folder, account };
}

/** The folder if this home has one already. */
export function existingClusterFolder(home: string): ClusterFolder | undefined {
  const folder = readPointer(home) ?? join(home, 'postgres');
  return existsSync(folder) ? { folder, account: ownerOf(folder) } : undefined;
}

/** As root, data that another user made stays that user's. */
function ownerOf(folder: string): Account | undefined {
  if (process.getuid?.() !== 0 || !existsSync(join(folder, 'data'))) return undefined;
  const { uid, gid } = statSync(join(folder, 'data'));
  return { uid, gid };
}

function readPointer(home: string): string | undefined {
  try {
    return readFileSync(join(home, POINTER), 'utf8').trim();
  } catch {
    return undefined;
  }
}

function makeOutside(home: string): string {
  const folder = join(SHARED_FOLDER, prefixOf(home) + randomBytes(4).toString('hex'));
  const unlinked = join(home, `${POINTER}.${randomBytes(4).toString('hex')}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    writeFileSync(unlinked, folder, { mode: 0o600 });
    linkSync(unlinked, join(home, POINTER)); // appears whole or not at all, and only once
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const winner = readPointer(home);
    if (winner) return winner;
    throw new ConfigError(
      `cannot make the database folder ${folder}, which root needs for Postgres: run as another user or set DATABASE_URL`,
      { cause: error },
    );
  } finally {
    rmSync(unlinked, { force: true });
  }
}

function prefixOf(home: string): string {
  return `${createHash('sha256').update(resolve(home)).digest('hex').slice(0, 16)}-`;
}
