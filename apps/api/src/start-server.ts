import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { pricesFrom } from '@app/budgets';
import { type AppConfig, ConfigError, loadConfig } from '@app/config';
import { type DatabaseHandle, takeInstallation } from '@app/database';
import { CredentialHealth, requireSandbox, Sandbox } from '@app/executor';
import type { BannerFacts } from './banner.js';
import { createApp } from './create-app.js';
import { DEMO_PROJECT } from './demo/demo-sample.js';
import { Draining } from './draining.js';

export interface ServeOptions {
  demo?: boolean;
  port?: number;
  host?: string;
}

interface RunningServer {
  facts: BannerFacts;
  /** Takes no new work, lets running work end or cuts it after 30 s, and leaves nothing behind. */
  stop(): Promise<void>;
}

const DAY_SECONDS = 86_400;

/**
 * Starts the service from its settings up to the open port, or throws having undone what it had done. Throws
 * `ConfigError` with one line for the operator when the cause is theirs to remove.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const undo: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    // Loaded for the demo only: it is no part of the real service.
    const demo = options.demo ? await import('./demo/demo.js') : undefined;
    const config = demo ? await demo.demoConfig(options, undo) : loadConfig(options);
    // Here and not where they are injected: Nest would log the refusal beside its one line.
    pricesFrom(config.pricesFile);
    await requireSandbox(config);
    const database = await takeInstallation(config, undo);
    const draining = new Draining();
    const app = await createApp(config, database.url, { draining });
    undo.push(() => app.close());
    undo.push(() => void (draining.hasBegun = true));
    await demo?.placeSample(app);
    await listen(app, config);
    return { facts: await factsOf(app, config, database), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const LISTEN_PROBLEMS: Record<string, (config: AppConfig) => string> = {
  EADDRINUSE: ({ port }) =>
    `port ${port} is taken: stop the program that uses it, or set PORT to another one`,
  EACCES: ({ port }) => `port ${port} may not be opened by this user: set PORT to 1024 or more`,
  EADDRNOTAVAIL: ({ host }) => `HOST ${host} is not an address of this machine`,
  ENOTFOUND: ({ host }) => `HOST ${host} is not a known name`,
};

async function listen(app: NestExpressApplication, config: AppConfig): Promise<void> {
  try {
    await app.init();
    // Not Nest's own listen: it would log the failure beside the one line that says what to do.
    const server: HttpServer = app.getHttpServer();
    server.listen(config.port, config.host);
    await once(server, 'listening');
  } catch (cause) {
    const problem = LISTEN_PROBLEMS[(cause as NodeJS.ErrnoException).code ?? ''];
    throw problem ? new ConfigError(problem(config), { cause }) : cause;
  }
}

async function factsOf(
  app: NestExpressApplication,
  config: AppConfig,
  database: DatabaseHandle,
): Promise<BannerFacts> {
  return {
    url: urlOf(app.getHttpServer().address() as AddressInfo),
    database: database.mode,
    isolation: app.get(Sandbox, { strict: false }).isolation,
    credential: app.get(CredentialHealth, { strict: false }).check(),
    adminKey: (await app.get(Bootstrap, { strict: false }).ensureAdmin())?.key,
    demoKey: config.demo ? await demoKey(app) : undefined,
  };
}

async function demoKey(app: NestExpressApplication): Promise<string> {
  const input = { project: DEMO_PROJECT, name: 'demo', tier: 'enterprise', expiresInSeconds: DAY_SECONDS };
  return (await app.get(KeysService, { strict: false }).create(operatorPrincipal(), input)).key;
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
