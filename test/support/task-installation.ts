import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import pg from 'pg';
import { KeysService, operatorPrincipal } from '@app/auth';
import { loadConfig } from '@app/config';
import { CliExecutor } from '@app/executor';
import { AppModule } from '../../apps/api/src/app.module.js';
import { configureApp } from '../../apps/api/src/configure-app.js';
import { HttpAdapter } from '../../apps/api/src/http/http-adapter.js';
import { ScriptedExecutor } from './scripted-executor.js';
import { createTestDatabase } from './test-database.js';

export type TaskProcess = Awaited<ReturnType<TaskInstallation['startProcess']>>;

/** Several server processes (here: apps) of one installation: one database, scripted runs, all else real. */
export class TaskInstallation {
  private readonly processes = new Set<{ stop(): Promise<void> }>();

  private constructor(
    readonly database: Awaited<ReturnType<typeof createTestDatabase>>,
    private readonly blobs: string,
    readonly sql: pg.Client,
  ) {}

  static async start(): Promise<TaskInstallation> {
    const database = await createTestDatabase();
    const sql = new pg.Client(database.url);
    await sql.connect();
    return new TaskInstallation(database, await mkdtemp(join(tmpdir(), 'task-blobs-')), sql);
  }

  async startProcess(
    env: Record<string, string> = {},
    executor = new ScriptedExecutor(),
    databaseUrl = this.database.url,
  ) {
    const home = await mkdtemp(join(tmpdir(), 'task-process-'));
    const config = loadConfig(
      { port: 0 },
      {
        CLAUDE_API_HOME: home,
        DATABASE_URL: this.database.url,
        BLOB_DIR: this.blobs,
        KEY_PEPPER: 'a pepper that all processes of a test share',
        AUDIT_KEY: 'an audit key that all processes of a test share',
        ANTHROPIC_API_KEY: 'sk-ant-canary-credential',
        CLAUDE_CONFIG_DIR: join(__dirname, '../fixtures/claude-config'),
        SANDBOX: 'process',
        LOG_LEVEL: 'silent',
        ...env,
      },
    );
    const module = await Test.createTestingModule({ imports: [AppModule.of(config, databaseUrl)] })
      .overrideProvider(CliExecutor)
      .useValue(executor)
      .compile();
    const app = configureApp(
      module.createNestApplication<NestExpressApplication>(new HttpAdapter(), {
        bodyParser: false,
        logger: process.env.TEST_LOG ? undefined : false,
      }),
    );
    await app.listen(0, '127.0.0.1');
    const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
    const started = {
      app,
      url,
      executor,
      stop: async () => {
        this.processes.delete(started);
        await app.close();
        await rm(home, { recursive: true });
      },
    };
    this.processes.add(started);
    return started;
  }

  /** A new inference key, made in this process. */
  async key({ app }: Pick<TaskProcess, 'app'>, tier = 'enterprise', project = 'test-app') {
    const made = await app.get(KeysService).create(operatorPrincipal(), { project, tier });
    return { id: made.id, key: made.key };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.processes].map((each) => each.stop()));
    await this.sql.end();
    await this.database.drop();
    await rm(this.blobs, { recursive: true, force: true });
  }
}

/** One request as JSON. */
export async function call(
  { url }: { url: string },
  key: string,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Headers; body: any; text: string }> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...type, ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, body: json, text };
}

/** Looks until it is so. */
export async function until<T>(
  look: () => Promise<T | false | undefined | null>,
  withinMs = 10_000,
): Promise<T> {
  for (const giveUpAt = performance.now() + withinMs; ; await sleep(25)) {
    const found = await look();
    if (found) return found;
    if (performance.now() > giveUpAt) throw new Error('it never came');
  }
}
