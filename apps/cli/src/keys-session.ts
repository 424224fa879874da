import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthModule, KeysService, operatorPrincipal } from '@app/auth';
import { Clock, CommonModule, type Principal } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule, migrate, requireSameSecrets, startDatabase } from '@app/database';

@Module({})
class KeysSession {}

/**
 * The services of auth in this process, for as long as `work` runs, on the database that the server uses: it
 * is attached to when it runs and else started, brought up to date, and stopped again.
 */
export async function withKeys<T>(
  work: (keys: KeysService, operator: Principal, clock: Clock) => Promise<T>,
): Promise<T> {
  const config = loadConfig();
  const database = await startDatabase(config);
  try {
    await migrate(database.url);
    await requireSameSecrets(database.url, config);
    const imports = [CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(database.url), AuthModule];
    const app = await NestFactory.createApplicationContext(
      { module: KeysSession, imports },
      { logger: false, abortOnError: false },
    );
    try {
      return await work(app.get(KeysService), operatorPrincipal(), app.get(Clock));
    } finally {
      await app.close();
    }
  } finally {
    await database.release();
  }
}
