import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { type AppConfig, ConfigError, loadConfig } from '@app/config';
import { type DatabaseHandle, migrate, startDatabase } from '@app/database';
import { CredentialHealth, ProcessSandbox } from '@app/executor';
import type { BannerFacts } from './banner.js';
import { createApp } from './create-app.js';
import { Draining } from './draining.js';
import { ServerLock } from './server-lock.js';

export interface ServeOptions {
  demo?: boolean;
  port?: number;
  host?: string;
}

export interface RunningServer {
  facts: BannerFacts;
  /** Takes no new work, lets running work end or cuts it after 30 s, and leaves nothing behind. */
  stop(): Promise<void>;
}

const DAY_SECONDS = 86_400;
/** Runs end themselves after 30 s; a client that does not read its answer is given 5 s more. */
const CUT_AFTER_MS = 35_000;

/**
 * Starts the service from its settings up to the open port, or throws having undone what it had done. Throws
 * `ConfigError` with one line for the operator when the cause is theirs to remove.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const undo: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const config = options.demo ? await demoConfig(options, undo) : loadConfig(options);
    const lock = ServerLock.take(config.home);
    if (!lock) throw homeInUse(config);
    undo.push(() => lock.release());
    const database = await startDatabase(config);
    undo.push(() => database.release());
    await migrate(database.url);
    database.supervise();
    const draining = new Draining();
    const app = await createApp(config, database.url, { draining });
    undo.push(() => close(app, draining));
    await listen(app, config);
    return { facts: await factsOf(app, config, database), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The scripted model is loaded for the demo only: it is no part of the real service. */
async function demoConfig(
  { port, host }: ServeOptions,
  undo: (() => void | Promise<void>)[],
): Promise<AppConfig> {
  const { startDemoModel } = await import('./demo/demo-model.js');
  const model = await startDemoModel();
  undo.push(() => model.stop());
  const credential = { kind: 'api_key', secret: 'demo' } as const;
  return loadConfig({ demo: true, port, host, credential, modelBaseUrl: model.url });
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
    await app.listen(config.port, config.host);
  } catch (cause) {
    const problem = LISTEN_PROBLEMS[(cause as NodeJS.ErrnoException).code ?? ''];
    throw problem ? new ConfigError(problem(config), { cause }) : cause;
  }
}

/** Connections that wait for their next request would keep the server open. */
async function close(app: NestExpressApplication, draining: Draining): Promise<void> {
  draining.hasBegun = true;
  const server = app.getHttpServer();
  server.close();
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const impatience = setTimeout(() => server.closeAllConnections(), CUT_AFTER_MS);
  await app.close();
  clearInterval(idle);
  clearTimeout(impatience);
}

async function factsOf(
  app: NestExpressApplication,
  config: AppConfig,
  database: DatabaseHandle,
): Promise<BannerFacts> {
  return {
    url: urlOf(app.getHttpServer().address() as AddressInfo),
    database: database.mode,
    isolation: app.get(ProcessSandbox, { strict: false }).isolation,
    credential: app.get(CredentialHealth, { strict: false }).check(),
    adminKey: (await app.get(Bootstrap, { strict: false }).ensureAdmin())?.key,
    demoKey: config.demo ? await demoKey(app) : undefined,
  };
}

async function demoKey(app: NestExpressApplication): Promise<string> {
  const input = { project: 'demo', name: 'demo', tier: 'enterprise', expiresInSeconds: DAY_SECONDS };
  return (await app.get(KeysService, { strict: false }).create(operatorPrincipal(), input)).key;
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

const homeInUse = ({ home }: AppConfig) =>
  new ConfigError(
    `a server already runs on the data folder ${home}: stop it, or set CLAUDE_API_HOME to another one`,
  );
