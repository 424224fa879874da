import { NestFactory } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { AppConfig } from '@app/config';
import { AppModule } from './app.module.js';
import { HttpAdapter } from './http/http-adapter.js';
import { openApiDocument } from './openapi.js';

/** The OpenAPI document of the whole service, read off its classes: nothing is started, no setting is read. */
export async function describeApi(): Promise<OpenAPIObject> {
  const noSettings = {} as AppConfig;
  const root = AppModule.of(noSettings, 'postgres://nowhere');
  const app = await NestFactory.create(root, new HttpAdapter(), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  return openApiDocument(app);
}
