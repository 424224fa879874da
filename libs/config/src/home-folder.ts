import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config-error.js';

/** Makes the home folder (0700) when it is missing; throws one clear line when it cannot be written. */
export function ensureHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new ConfigError(
      `the data folder ${home} cannot be written: make it writable or set CLAUDE_API_HOME to another one`,
      { cause },
    );
  }
}

/** A secret that is made on first use and kept (0600) in the home folder. Safe when two processes race. */
export function keptSecret(home: string, name: string): string {
  const path = join(home, name);
  try {
    writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new ConfigError(`cannot write ${path}`, { cause: error });
    }
  }
  return readFileSync(path, 'utf8').trim();
}

/**
 * Where workspaces and artifacts are kept unless `BLOB_DIR` says otherwise. As root the boxes run as another
 * account, which must be able to reach its workspace: no folder inside a home that only root may enter. A home
 * that was removed and made again has another instance id, so it never meets the old workspaces.
 */
export function defaultBlobDir(home: string, instanceId: string): string {
  return process.getuid?.() === 0 ? `/var/lib/claude-api/blobs-${instanceId}` : join(home, 'blobs');
}
