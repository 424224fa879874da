import { type DynamicModule, type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule, migrate, requireSameSecrets, startDatabase } from '@app/database';

/** Where the services are got from. */
export type Services = INestApplicationContext;

@Module({})
class ServicesSession {}

/**
 * Services in this process, for as long as `work` runs, on the database that the server uses: it is attached
 * to when it runs and else started, brought up to date, and stopped again.
 */
export async function withServices<T>(
  modules: (Type | DynamicModule)[],
  work: (services: Services) => Promise<T>,
): Promise<T> {
  const config = loadConfig();
  const database = await startDatabase(config);
  try {
    await migrate(database.url);
    await requireSameSecrets(database.url, config);
    const ground = [CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(database.url)];
    const services = await NestFactory.createApplicationContext(
      { module: ServicesSession, imports: [...ground, ...modules] },
      { logger: false, abortOnError: false },
    );
    try {
      return await work(services);
    } finally {
      await services.close();
    }
  } finally {
    await database.release();
  }
}
