import type pg from 'pg';
import { DataSource } from 'typeorm';
import { connect, disconnect } from './connect.js';
import { installJobQueue } from './job-queue-schema.js';
import { MIGRATIONS } from './migrations/index.js';

/** Any number that nobody else locks on: "migrate" on a telephone keypad. */
const LOCK = 6_447_283;

/** TypeORM makes this table too, but without the time; it takes one that it finds. */
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS migrations (
  id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL UNIQUE,
  applied_at timestamptz NOT NULL DEFAULT now())`;

/**
 * Brings the schema up to date, each migration in its own transaction, and returns the names of those that
 * were applied. When several processes start at once, one does it and the others wait.
 */
export async function migrate(url: string): Promise<string[]> {
  const lock = await connect(url, 'claude-api migrations');
  const source = new DataSource({
    type: 'postgres',
    url,
    applicationName: 'claude-api migrations',
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    installExtensions: false,
  });
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await lock.query(MIGRATIONS_TABLE);
    await source.initialize();
    const applied = await source.runMigrations();
    await installJobQueue(lock);
    return applied.map(({ name }) => name);
  } finally {
    if (source.isInitialized) await source.destroy();
    await disconnect(lock);
  }
}

/** Every migration that this version knows, in order, and when the database got it. Changes nothing. */
export async function migrationStatus(url: string): Promise<{ name: string; appliedAt: Date | null }[]> {
  const client = await connect(url, 'claude-api migrations');
  try {
    const applied = await appliedTimes(client);
    return MIGRATIONS.map((Migration) => new Migration()).map(({ name }) => ({
      name,
      appliedAt: applied.get(name) ?? null,
    }));
  } finally {
    await disconnect(client);
  }
}

async function appliedTimes(client: pg.Client): Promise<Map<string, Date>> {
  const { rows: tables } = await client.query("SELECT to_regclass('migrations') IS NOT NULL AS exists");
  if (!tables[0].exists) return new Map();
  const { rows } = await client.query<{ name: string; applied_at: Date }>(
    'SELECT name, applied_at FROM migrations',
  );
  return new Map(rows.map((row) => [row.name, row.applied_at]));
}
