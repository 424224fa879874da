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
import { StreamAdapter } from './stream/stream-adapter.js';

export interface Surroundings {
  draining?: Draining;
  /** Where log lines go instead of stderr. */
  logSink?: DestinationStream;
}

/** An app, not yet listening, of any root module, with all that each of its routes relies on. */
export async function createSurface(
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

/** Puts the surface around the routes. */
export function configureApp(app: NestExpressApplication, draining = new Draining()): NestExpressApplication {
  app.useWebSocketAdapter(new StreamAdapter(app));
  app.use(securityHeaders, ingress(draining));
  app.useGlobalFilters(new ProblemFilter());
  app.useGlobalInterceptors(new JsonBody());
  app.useGlobalPipes(new Validation());
  serveDocs(app);
  return app;
}
