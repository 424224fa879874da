import { type AppConfig, ConfigError } from '@app/config';
import type { DatabaseHandle } from './database-handle.js';
import { InstanceLock } from './instance-lock.js';
import { migrate } from './migrate.js';
import { requireSameSecrets } from './secret-fingerprints.js';
import { startDatabase } from './start-database.js';

/**
 * What every process of the service does first: the database is there and migrated, its secrets are ours, and
 * no other process of this home plays the same role. `undo` gets what has to be undone, last first. Throws
 * `ConfigError` when the cause is the operator's to remove.
 */
export async function takeInstallation(
  config: AppConfig,
  undo: (() => void | Promise<void>)[],
): Promise<DatabaseHandle> {
  const database = await startDatabase(config);
  undo.push(() => database.release());
  const lock = await InstanceLock.take(database.url, config.instanceId);
  if (!lock) throw homeInUse(config);
  undo.push(() => lock.release());
  await migrate(database.url);
  await requireSameSecrets(database.url, config);
  database.supervise();
  return database;
}

const homeInUse = ({ home, role }: AppConfig) =>
  new ConfigError(
    `a ${role === 'worker' ? 'worker' : 'server'} already runs on the data folder ${home}: stop it, or set CLAUDE_API_HOME to another one`,
  );
