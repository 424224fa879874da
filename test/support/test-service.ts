import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { KeysService, operatorPrincipal } from '@app/auth';
import { type AppConfig, loadConfig } from '@app/config';
import type { Surroundings } from '../../apps/api/src/configure-app.js';
import { createApp } from '../../apps/api/src/create-app.js';
import { ModelStandIn } from './model-stand-in.js';
import { createTestDatabase } from './test-database.js';

/** The real service in this process: real HTTP, real Postgres, the real CLI, a scripted model. */
export interface TestService {
  url: string;
  config: AppConfig;
  app: NestExpressApplication;
  databaseUrl: string;
  model: ModelStandIn;
  /** A new inference key. */
  key(tier?: string, project?: string): Promise<{ id: string; key: string }>;
  post(path: string, body: unknown, key: string, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  headers: Headers;
  body: any;
  text: string;
}

export async function startTestService(
  env: Record<string, string> = {},
  surroundings: Surroundings = {},
): Promise<TestService> {
  const database = await createTestDatabase();
  const model = await ModelStandIn.start();
  const home = await mkdtemp(join(tmpdir(), 'test-service-'));
  const config = loadConfig(
    { port: 0 },
    {
      CLAUDE_API_HOME: home,
      DATABASE_URL: database.url,
      ANTHROPIC_API_KEY: 'sk-ant-canary-credential',
      ANTHROPIC_BASE_URL: model.url,
      CLAUDE_CONFIG_DIR: join(__dirname, '../fixtures/claude-config'),
      LOG_LEVEL: 'silent',
      // Each run starts a process of its own, so that a test knows which are there. Those of the pool switch it on.
      POOL: 'off',
      // All of a test comes from one address.
      UNAUTHENTICATED_PER_MINUTE: '1000000',
      FAILED_KEYS_PER_MINUTE: '1000000',
      ...env,
    },
  );
  const app = await createApp(config, database.url, surroundings);
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  return {
    url,
    config,
    app,
    model,
    databaseUrl: database.url,
    key: async (tier = 'enterprise', project = 'test-app') => {
      const made = await app.get(KeysService).create(operatorPrincipal(), { project, tier });
      return { id: made.id, key: made.key };
    },
    post: (path, body, key, headers = {}) => post(url + path, body, key, headers),
    stop: async () => {
      await app.close();
      await model.stop();
      await database.drop();
      await rm(home, { recursive: true });
      await rm(config.blobDir, { recursive: true, force: true });
    },
  };
}

async function post(
  url: string,
  body: unknown,
  key: string,
  headers: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, body: json, text };
}

/** The events of a server-sent stream, as the API's documents say they are. */
export function eventsOf(text: string): any[] {
  return text
    .split('\n\n')
    .flatMap((block) => block.split('\n').filter((line) => line.startsWith('data: ')))
    .map((line) => JSON.parse(line.slice(6)));
}
