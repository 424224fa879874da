import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppConfig, ConfigError } from '@app/config';
import { connect, disconnect } from './connect.js';
import type { DatabaseHandle } from './database-handle.js';
import { Cluster } from './embedded/cluster.js';
import { existingClusterFolder } from './embedded/cluster-folder.js';
import { EmbeddedDatabase } from './embedded/embedded-database.js';
import { withLock } from './embedded/lock-file.js';

type Where = Pick<AppConfig, 'home' | 'databaseUrl'>;

/**
 * A database that answers: the one that DATABASE_URL names, else the home's own PostgreSQL (attached to when
 * it runs, started when not). Throws a ConfigError of one line that says what to change.
 */
export function startDatabase({ home, databaseUrl }: Where): Promise<DatabaseHandle> {
  return databaseUrl ? openExternal(databaseUrl) : EmbeddedDatabase.open(home);
}

/** Stops the home's embedded server, whoever uses it, and removes all its data. */
export async function removeEmbeddedDatabase(home: string): Promise<void> {
  const place = existingClusterFolder(home);
  if (!place) return;
  await withLock(join(place.folder, 'lock'), () => new Cluster(place).stop());
  await rm(place.folder, { recursive: true, force: true });
}

async function openExternal(url: string): Promise<DatabaseHandle> {
  try {
    await disconnect(await connect(url));
  } catch (cause) {
    throw new ConfigError(`DATABASE_URL: ${whereOf(url)} ${reasonOf(cause)}`, { cause });
  }
  return {
    url,
    mode: 'external',
    startedHere: false,
    supervise: () => undefined,
    release: async () => undefined,
  };
}

function whereOf(url: string): string {
  if (!URL.canParse(url)) return 'the address';
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || '5432'}${pathname}`;
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'refuses connections: is PostgreSQL running there?',
  ENOTFOUND: 'has a host name that is not known',
  EAI_AGAIN: 'has a host name that is not known',
  '28P01': 'rejects the user or password',
  '28000': 'rejects the user or password',
  '3D000': 'has no such database',
};

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code && REASONS[code]) return REASONS[code];
  return /timeout|terminated/i.test(message)
    ? 'does not answer within 3 s'
    : `cannot be used (${code ?? 'unexpected answer'})`;
}
