import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { KeysService, operatorPrincipal } from '@app/auth';
import { startAuthProcess } from './auth-process.js';
import { ModelStandIn } from './model-stand-in.js';
import { cleanUp, ServerProcess } from './server-process.js';
import { TaskApi } from './task-api.js';
import { createTestDatabase } from './test-database.js';

/** Must be those of `startAuthProcess`: it makes the keys. */
const SECRETS = {
  KEY_PEPPER: 'a pepper that all processes of a test share',
  AUDIT_KEY: 'an audit key that all processes of a test share',
};

/** One `ROLE=api` and any number of `ROLE=worker` processes, each with a home of its own, on one database. */
export class WorkerFleet {
  readonly #homes: string[] = [];
  readonly #servers: ServerProcess[] = [];
  readonly #apis: TaskApi[] = [];
  #api!: ServerProcess;

  private constructor(
    readonly model: ModelStandIn,
    readonly database: pg.Client,
    readonly blobDir: string,
    private readonly databaseUrl: string,
    private readonly keys: Awaited<ReturnType<typeof startAuthProcess>>,
    private readonly dropDatabase: () => Promise<void>,
  ) {}

  static async start(): Promise<WorkerFleet> {
    const { url, drop } = await createTestDatabase();
    const database = new pg.Client(url);
    await database.connect();
    const model = await ModelStandIn.start();
    const blobDir = await mkdtemp(join(tmpdir(), 'fleet-blobs-'));
    // The account of the boxes has to pass.
    await chmod(blobDir, 0o711);
    const fleet = new WorkerFleet(model, database, blobDir, url, await startAuthProcess(url), drop);
    fleet.#api = await fleet.#serve({ ROLE: 'api' });
    return fleet;
  }

  get api(): ServerProcess {
    return this.#api;
  }

  worker(env: Record<string, string> = {}): Promise<ServerProcess> {
    return this.#serve({ ROLE: 'worker', ...env });
  }

  /** As its supervisor would. */
  async restartApi(): Promise<void> {
    this.#api = await this.#serve({ ROLE: 'api', PORT: String(this.#api.port) }, this.#api.home);
  }

  async user(tier: string, project: string): Promise<TaskApi> {
    const { key } = await this.keys.app.get(KeysService).create(operatorPrincipal(), { project, tier });
    const user = new TaskApi(this.#api.url, key);
    this.#apis.push(user);
    return user;
  }

  async rows<T extends object = any>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await this.database.query<T>(sql, values)).rows;
  }

  /** The task's own row, with its runs in order. */
  async stored(id: string): Promise<any> {
    const [row] = await this.rows('SELECT * FROM tasks WHERE id = $1', [id]);
    const runs = await this.rows('SELECT * FROM runs WHERE request_id = $1 ORDER BY started_at', [
      row.request_id,
    ]);
    return { ...row, runs };
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      if (server.exitCode === undefined) server.child.kill('SIGKILL');
      await server.exited();
    }
    await this.keys.stop();
    await this.model.stop();
    await this.database.end();
    await this.dropDatabase();
    for (const home of this.#homes) await cleanUp(home, []);
    await rm(this.blobDir, { recursive: true, force: true });
  }

  async #serve(env: Record<string, string>, home?: string): Promise<ServerProcess> {
    const at = home ?? (await ServerProcess.temporaryHome());
    this.#homes.push(at);
    const server = await ServerProcess.start(at, {
      ...SECRETS,
      DATABASE_URL: this.databaseUrl,
      BLOB_DIR: this.blobDir,
      ANTHROPIC_API_KEY: 'sk-ant-test',
      ANTHROPIC_BASE_URL: this.model.url,
      ...env,
    });
    this.#servers.push(server);
    return server;
  }
}
