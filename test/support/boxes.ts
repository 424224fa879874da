import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@app/config';
import { type ModelCall, RunMeter, type Sandbox, type WorkspaceDir } from '@app/executor';
import { BoundRun } from '../../libs/executor/src/broker/bound-run.js';
import { Broker } from '../../libs/executor/src/broker/broker.js';
import { ModelCalls } from '../../libs/executor/src/broker/model-calls.js';
import { Pass } from '../../libs/executor/src/broker/pass.js';
import { Upstream } from '../../libs/executor/src/broker/upstream.js';
import { CredentialHealth } from '../../libs/executor/src/credential-health.js';
import { chooseSandbox } from '../../libs/executor/src/sandbox/choose-sandbox.js';
import { type RunFolder, RunFolders } from '../../libs/executor/src/sandbox/run-folders.js';
import type { BrokerDoor, SandboxedProcess } from '../../libs/executor/src/sandbox/sandbox.js';

const MEBIBYTE = 1024 * 1024;
const CREDENTIAL = 'sk-ant-canary-credential';

class FreeMeter extends RunMeter {
  override async authorise({ maxTokens }: ModelCall) {
    return { maxTokens };
  }
  override record() {}
}

export interface Box {
  child: SandboxedProcess;
  folder: RunFolder;
  door: BrokerDoor;
  token: string;
  output: string;
  errors: string;
  ended: Promise<{ code: number | null; signal: string | null }>;
  /** What the executor does at the end of a run. */
  close(): Promise<void>;
}

interface Wanted {
  /** Run by bash. */
  script: string;
  workspace?: WorkspaceDir;
  env?: Record<string, string>;
  memoryBytes?: number;
  processes?: number;
  /** Leave stdout to the test. */
  unread?: boolean;
  command?: string;
  args?: string[];
}

/** Boxes as the executor starts them, with any program instead of the CLI: real sandbox, real broker. */
export class Boxes {
  private readonly open = new Set<Box>();
  private readonly scratch: string[] = [];
  private made = 0;

  private constructor(
    readonly sandbox: Sandbox,
    readonly folders: RunFolders,
    readonly broker: Broker,
    readonly home: string,
  ) {}

  static async choose(
    choice: 'auto' | 'bubblewrap' | 'process',
    modelUrl = 'http://127.0.0.1:9',
  ): Promise<Boxes> {
    const home = await mkdtemp(join(tmpdir(), 'boxes-'));
    const config = loadConfig(
      {},
      { CLAUDE_API_HOME: home, SANDBOX: choice, ANTHROPIC_API_KEY: CREDENTIAL, ANTHROPIC_BASE_URL: modelUrl },
    );
    const folders = new RunFolders(config);
    const sandbox = await chooseSandbox(config, folders).catch(async (error) => {
      await folders.removeOwn();
      await rm(home, { recursive: true });
      throw error;
    });
    return new Boxes(
      sandbox,
      folders,
      new Broker(new ModelCalls(new Upstream(config), new CredentialHealth(config))),
      home,
    );
  }

  async workspace(quotaBytes = 64 * MEBIBYTE, writable = true): Promise<WorkspaceDir> {
    const dir = await mkdtemp(join(tmpdir(), 'workspace-'));
    this.scratch.push(dir);
    return { dir, writable, quotaBytes };
  }

  async start(wanted: Wanted): Promise<Box> {
    const runId = `run_${(this.made += 1)}`;
    const folder = await this.folders.make(runId);
    const run = new BoundRun({ runId, model: 'claude-haiku-5-5', sampling: {}, meter: new FreeMeter() });
    const { token, door, release } = await this.broker.open(Pass.of(run), this.sandbox.brokerSocket(folder));
    const content = { folder, workspace: wanted.workspace, broker: door };
    await this.sandbox.prepare(content);
    const view = this.sandbox.view(content);
    const child = this.sandbox.spawn({
      ...content,
      command: wanted.command ?? '/bin/bash',
      args: wanted.args ?? ['-c', wanted.script],
      env: {
        ...{ HOME: view.home, TMPDIR: view.tmpDir, CLAUDE_CONFIG_DIR: view.configDir },
        ...{ ANTHROPIC_BASE_URL: view.brokerUrl, ANTHROPIC_API_KEY: token },
        ...wanted.env,
      },
      limits: {
        memoryBytes: wanted.memoryBytes ?? 512 * MEBIBYTE,
        processes: wanted.processes ?? 128,
      },
    });
    const box: Box = {
      ...{ child, folder, door, token, output: '', errors: '' },
      ended: new Promise((done) => {
        child.on('close', (code, signal) => done({ code, signal }));
        child.on('error', () => done({ code: null, signal: null }));
      }),
      close: async () => {
        this.sandbox.kill(child);
        await release();
        await this.folders.remove(folder);
        this.open.delete(box);
      },
    };
    if (!wanted.unread) child.stdout.on('data', (piece) => (box.output += piece));
    child.stderr.on('data', (piece) => (box.errors += piece));
    child.stdin.on('error', () => undefined);
    this.open.add(box);
    return box;
  }

  /** To its end, with this on its stdin. */
  async run(wanted: Wanted, stdin = ''): Promise<Box & { code: number | null }> {
    const box = await this.start(wanted);
    box.child.stdin.end(stdin);
    // As the executor does: what the program left running is ended with it.
    await new Promise((over) => box.child.once('exit', over).once('error', over));
    await box.close();
    const { code } = await box.ended;
    return Object.assign(box, { code });
  }

  /** Waits until it has printed this. */
  async said(box: Box, text: string): Promise<void> {
    while (!box.output.includes(text)) {
      const next = await Promise.race([once(box.child.stdout, 'data'), box.ended]);
      if (!Array.isArray(next) && !box.output.includes(text)) {
        throw new Error(`ended without "${text}": ${box.output}${box.errors}`);
      }
    }
  }

  async stop(): Promise<void> {
    for (const box of this.open) await box.close();
    await this.broker.onApplicationShutdown();
    await this.folders.removeOwn();
    for (const dir of [...this.scratch, this.home]) await rm(dir, { recursive: true, force: true });
  }
}
