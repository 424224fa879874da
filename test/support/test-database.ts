import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { migrate, startDatabase } from '@app/database';
import { DATA_FOLDER_FILE, TEST_HOME_VARIABLE, URL_FILE } from './global-setup.js';

const TEMPLATE = 'migrated_template';

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/**
 * A migrated database of the caller's own, in some 20 ms. The first caller of a test run starts the run's
 * Postgres (embedded, in a folder of the run) and migrates the template that all are cloned from.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const home = process.env[TEST_HOME_VARIABLE];
  if (!home) throw new Error('no test home: is globalSetup configured?');
  const url = existsSync(join(home, URL_FILE))
    ? readFileSync(join(home, URL_FILE), 'utf8')
    : await prepare(home);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(url, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY WAL_LOG`);
  return {
    url: databaseUrl(url, name),
    drop: () => execute(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function prepare(home: string): Promise<string> {
  const server = await startDatabase({ home });
  const admin = new pg.Client(server.url);
  await admin.connect();
  try {
    await admin.query('SELECT pg_advisory_lock(1)'); // two workers may be first
    await buildTemplate(admin, server.url);
    const { rows } = await admin.query('SHOW data_directory');
    writeWhole(join(home, DATA_FOLDER_FILE), rows[0].data_directory);
    writeWhole(join(home, URL_FILE), server.url);
    await server.release(); // while `admin` is connected, so that the server stays
  } finally {
    await admin.end();
  }
  return server.url;
}

async function buildTemplate(admin: pg.Client, url: string): Promise<void> {
  const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [TEMPLATE]);
  if (rowCount) return;
  await admin.query('DROP DATABASE IF EXISTS unfinished');
  await admin.query('CREATE DATABASE unfinished');
  await migrate(databaseUrl(url, 'unfinished'));
  await admin.query(`ALTER DATABASE unfinished RENAME TO ${TEMPLATE}`);
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function writeWhole(path: string, content: string): void {
  writeFileSync(`${path}.${process.pid}`, content);
  renameSync(`${path}.${process.pid}`, path);
}

function databaseUrl(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
