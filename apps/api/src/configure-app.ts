import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { DestinationStream } from 'pino';
import type { AppConfig } from '@app/config';
import { Draining } from './draining.js';
import { HttpAdapter } from './http/http-adapter.js';
import { ingress } from './http/ingress.js';
import { JsonBody } from './http/json-body.js';
import { ProblemFilter } from './http/problem.filter.js';
import { securityHeaders } from './http/security-headers.js';
import { Validation } from './http/validation.js';
import { StructuredLog } from './logging/structured-log.js';
import { serveDocs } from './openapi.js';

interface Surroundings {
  draining?: Draining;
  logSink?: DestinationStream;
}

/** Makes an app (not yet listening) with everything that each route relies on; the server and the tests do so alike. */
export async function createApp(
  root: Type | DynamicModule,
  config: AppConfig,
  { draining = new Draining(), logSink }: Surroundings = {},
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(root, new HttpAdapter(), {
    bodyParser: false,
    abortOnError: false,
    logger: new StructuredLog(config, logSink),
  });
  return configureApp(app, draining);
}

/** Puts the surface around the routes. Needs an app on our `HttpAdapter` without Nest's body parser. */
export function configureApp(app: NestExpressApplication, draining: Draining): NestExpressApplication {
  app.use(securityHeaders, ingress(draining));
  app.useGlobalFilters(new ProblemFilter());
  app.useGlobalInterceptors(new JsonBody());
  app.useGlobalPipes(new Validation());
  serveDocs(app);
  return app;
}
