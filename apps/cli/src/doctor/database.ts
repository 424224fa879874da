import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type AppConfig, ConfigError } from '@app/config';
import {
  type DatabaseHandle,
  DatabaseModule,
  migrationStatus,
  requireSameSecrets,
  startDatabase,
  Transactions,
} from '@app/database';
import type { Finding } from './finding.js';

const SKEW_LIMIT_MS = 5_000;

@Module({})
class DoctorSession {}

/** Reachable, up to date, and of the same time as this process: expiry and leases compare the two. */
export async function checkDatabase(config: AppConfig): Promise<Finding[]> {
  let database: DatabaseHandle;
  try {
    database = await startDatabase(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = config.databaseUrl
      ? 'correct DATABASE_URL, or unset it: then the embedded PostgreSQL is used'
      : 'or set DATABASE_URL to a PostgreSQL of your own';
    return [{ check: 'database', status: 'fail', detail: error.message, fix }];
  }
  try {
    return [
      { check: 'database', status: 'ok', detail: `${database.mode}, answers` },
      await checkMigrations(database.url),
      await checkSecrets(config, database.url),
      ...(await checkInside(database)),
    ];
  } finally {
    await database.release();
  }
}

async function checkMigrations(url: string): Promise<Finding> {
  const known = await migrationStatus(url);
  const pending = known.filter(({ appliedAt }) => appliedAt === null).length;
  if (pending === 0) return { check: 'migrations', status: 'ok', detail: `all ${known.length} applied` };
  return {
    check: 'migrations',
    status: 'warn',
    detail: `${pending} of ${known.length} not applied; starting the server applies them`,
    fix: 'claude-api db migrate',
  };
}

async function checkSecrets(config: AppConfig, url: string): Promise<Finding> {
  try {
    await requireSameSecrets(url, config);
    return { check: 'secrets', status: 'ok', detail: 'those that the database was made with' };
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      return {
        check: 'secrets',
        status: 'warn',
        detail: 'not checked: migrations first',
        fix: 'claude-api db migrate',
      };
    }
    return {
      check: 'secrets',
      status: 'fail',
      detail: error.message,
      fix: 'set the old KEY_PEPPER and AUDIT_KEY',
    };
  }
}

/** What has to be asked of the database itself. */
async function checkInside({ url, mode }: DatabaseHandle): Promise<Finding[]> {
  const app = await NestFactory.createApplicationContext(
    { module: DoctorSession, imports: [DatabaseModule.forUrl(url)] },
    { logger: false, abortOnError: false },
  );
  try {
    const transactions = app.get(Transactions);
    return [await checkClock(transactions), await checkAudit(transactions, mode)];
  } finally {
    await app.close();
  }
}

async function checkClock({ manager }: Transactions): Promise<Finding> {
  const [row] = await manager.query<{ now: Date }[]>('SELECT clock_timestamp() AS now');
  const skewMs = Math.abs((row?.now.getTime() ?? 0) - Date.now());
  if (skewMs <= SKEW_LIMIT_MS) return { check: 'clock', status: 'ok', detail: 'agrees with the database' };
  return {
    check: 'clock',
    status: 'fail',
    detail: `${Math.round(skewMs / 1000)} s away from the database’s`,
    fix: 'synchronise the clocks of both machines (NTP)',
  };
}

/** Whether this login may do more with the audit than add to it. A trigger refuses that in any case. */
async function checkAudit({ manager }: Transactions, mode: DatabaseHandle['mode']): Promise<Finding> {
  const [row] = await manager.query<{ changeable: boolean }[]>(
    `SELECT bool_or(has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) AS changeable
     FROM pg_class c WHERE relkind IN ('r', 'p') AND relname ~ '^audit_(events|checkpoints)'
       AND relnamespace = current_schema()::regnamespace`,
  );
  const check = 'audit';
  if (!row?.changeable) return { check, status: 'ok', detail: 'can only be added to' };
  const detail = 'guarded by trigger and chain; a superuser such as this login could switch the trigger off';
  if (mode === 'embedded') return { check, status: 'ok', detail };
  return {
    check,
    status: 'warn',
    detail,
    fix: 'give the service a login of its own that owns the database and is no superuser',
  };
}
