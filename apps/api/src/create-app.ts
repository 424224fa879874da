import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AppConfig } from '@app/config';
import { AppModule } from './app.module.js';
import { createSurface, type Surroundings } from './configure-app.js';

/** The whole service over a migrated database, not yet listening; the server and the tests make it alike. */
export function createApp(
  config: AppConfig,
  databaseUrl: string,
  surroundings: Surroundings = {},
): Promise<NestExpressApplication> {
  return createSurface(AppModule.of(config, databaseUrl), config, surroundings);
}
