import { join } from 'node:path';
import { existingClusterFolder } from '../../libs/database/src/embedded/cluster-folder.js';
import { livePostmaster } from '../../libs/database/src/embedded/postmaster.js';
import type { ScriptedAnswer } from '../support/model-stand-in.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { ProcessTrees } from './process-trees.js';
import { ScriptedModel } from './scripted-model.js';

/** Not the rates of a tier are measured. */
const TIER = ['--from', 'enterprise', '--requests-per-minute', '1000000', '--concurrent-runs', '100'];

/** The service as it is installed: a process of its own with its embedded database, its sandbox, and a scripted model. */
export class BenchServer {
  private constructor(
    readonly model: ScriptedModel,
    readonly server: ServerProcess,
    readonly adminKey: string,
  ) {}

  static async start(
    answer: ScriptedAnswer | { echo: true },
    env: Record<string, string> = {},
  ): Promise<BenchServer> {
    const model = await ScriptedModel.start(answer);
    const server = await ServerProcess.start(await ServerProcess.temporaryHome(), {
      ...{ ANTHROPIC_API_KEY: 'sk-ant-bench', ANTHROPIC_BASE_URL: model.url, SANDBOX: 'bubblewrap' },
      // All of a benchmark comes from one address.
      UNAUTHENTICATED_PER_MINUTE: '1000000',
      ...env,
    });
    const operator = async (...args: string[]) => {
      const { code, stdout, stderr } = await server.cli(...args);
      if (code === 0) return stdout;
      await cleanUp(server.home, [server]);
      throw new Error(`claude-api ${args[0]} failed: ${stderr}`);
    };
    await operator('tiers', 'set', 'bench', ...TIER);
    return new BenchServer(
      model,
      server,
      JSON.parse(await operator('keys', 'create', '--admin', '--json')).key,
    );
  }

  get url(): string {
    return this.server.url;
  }

  /** The service and what it runs. */
  get service(): number {
    return this.server.child.pid!;
  }

  get database(): number {
    return postmasterOf(this.server);
  }

  get trees(): ProcessTrees {
    return new ProcessTrees([this.service, this.database]);
  }

  /** Inference keys, each of a project of its own. */
  async keys(count: number, tier = 'bench'): Promise<string[]> {
    const make = async (_: unknown, index: number) => {
      const body = JSON.stringify({ project_id: `bench-${tier}-${index}`, tier });
      const made = await this.administer('/v1/admin/keys', { method: 'POST', body });
      return made.key as string;
    };
    return Promise.all(Array.from({ length: count }, make));
  }

  async pool(): Promise<any> {
    return this.administer('/v1/admin/pool');
  }

  async stop(): Promise<void> {
    await cleanUp(this.server.home, [this.server]);
    await this.model.stop();
  }

  private async administer(path: string, init: RequestInit = {}): Promise<any> {
    const headers = { authorization: `Bearer ${this.adminKey}`, 'content-type': 'application/json' };
    const response = await fetch(this.url + path, { ...init, headers });
    const body = await response.json();
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return body;
  }
}

/** The embedded database belongs to nobody: it outlives who started it. */
export function postmasterOf({ home }: ServerProcess): number {
  const folder = existingClusterFolder(join(home, 'data'))?.folder;
  const postmaster = folder ? livePostmaster(join(folder, 'data')) : undefined;
  if (!postmaster) throw new Error('the database does not run');
  return postmaster.pid;
}
