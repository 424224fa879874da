import type { Options } from '@anthropic-ai/claude-agent-sdk';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { Broker } from '../broker/broker.js';
import type { Pass } from '../broker/pass.js';
import type { AgenticSpec, WorkspaceDir } from '../run-spec.js';
import { type RunFolder, RunFolders } from '../sandbox/run-folders.js';
import { type BoxContent, type BoxView, Sandbox, type SandboxedProcess } from '../sandbox/sandbox.js';
import { BoundedOutput, bounded } from './bounded-output.js';
import { cliEnvironment } from './sdk-options.js';
import { StderrTail } from './stderr-tail.js';

const MEBIBYTE = 1024 * 1024;
/** The CLI alone rests at 150 to 260 MB and has some ten threads. */
const TEXT_LIMITS = { memoryBytes: 1024 * MEBIBYTE, processes: 64 };
/** How long a run that was stopped may still tell what it had said. */
const LAST_WORDS_MS = 1_000;

/** What a box is furnished with before the CLI starts in it. */
interface Furnishing {
  workspace?: WorkspaceDir;
  /** Of a task; text runs have their own. */
  limits?: AgenticSpec['limits'];
  /** Its process serves one run after the other. */
  isKept?: boolean;
  /** Puts what the CLI will read into the folder of the box. */
  furnish?: (folder: RunFolder) => Promise<void>;
}

/** Makes boxes: a throw-away folder, a door of the broker, and walls around both. */
@Injectable()
export class CliBoxes {
  constructor(
    private readonly config: AppConfig,
    private readonly broker: Broker,
    private readonly sandbox: Sandbox,
    private readonly folders: RunFolders,
  ) {}

  /** `name` is the folder's; `pass` says whom the box may speak for. Leaves nothing when it rejects. */
  async open(name: string, pass: Pass, furnishing: Furnishing = {}): Promise<CliBox> {
    const folder = await this.folders.make(name);
    const undo = [() => this.folders.remove(folder)];
    const clear = async () => {
      for (const step of undo.splice(0).toReversed()) await step();
    };
    try {
      await furnishing.furnish?.(folder);
      const { token, door, release } = await this.broker.open(pass, this.sandbox.brokerSocket(folder));
      undo.push(release);
      const content = { folder, workspace: furnishing.workspace, broker: door };
      await this.sandbox.prepare(content);
      const { limits, isKept = false } = furnishing;
      const kind = this.config.credential?.kind ?? 'api_key';
      const use = { kind, isText: limits === undefined, isKept };
      const env = cliEnvironment(this.sandbox.view(content), token, use);
      return new CliBox(this.sandbox, content, { env, limits: limits ?? TEXT_LIMITS, clear });
    } catch (error) {
      await clear();
      throw error;
    }
  }
}

interface BoxMeans {
  env: Record<string, string>;
  limits: AgenticSpec['limits'];
  clear: () => Promise<void>;
}

/** The box of one process of the CLI. After `end` nothing of the process or the box is left. */
export class CliBox {
  readonly stderr = new StderrTail();
  readonly gone: Promise<void>;
  private child: SandboxedProcess | undefined;
  private output: BoundedOutput | undefined;
  private readonly onKill: (() => void)[] = [];
  private killedAt = Infinity;
  private ended: Promise<void> | undefined;
  private isGone: () => void;

  constructor(
    private readonly sandbox: Sandbox,
    private readonly content: BoxContent,
    private readonly means: BoxMeans,
  ) {
    this.gone = new Promise((resolve) => (this.isGone = resolve));
  }

  get view(): BoxView {
    return this.sandbox.view(this.content);
  }

  /** How the SDK starts its process: in here. Once. */
  readonly spawn: NonNullable<Options['spawnClaudeCodeProcess']> = ({ command, args }) => {
    const { env, limits } = this.means;
    const child = this.sandbox.spawn({ command, args, env, limits, ...this.content });
    this.child = child;
    child.once('exit', this.isGone).once('error', this.isGone);
    this.stderr.follow(child.stderr);
    this.output = new BoundedOutput(() => {
      this.stderr.text = 'it said more than a run may say';
      this.kill();
    });
    return bounded(child, this.output);
  };

  /** What else has to end when the process is killed. */
  whenKilled(step: () => void): void {
    this.onKill.push(step);
  }

  /** What was put into the workspace after the box was made. */
  async giveWorkspace(): Promise<void> {
    const { workspace } = this.content;
    if (workspace) await this.sandbox.giveWorkspace(workspace);
  }

  /** The process serves another run, which may say as much again. */
  beginAnew(): void {
    this.output?.beginAnew();
  }

  kill(): void {
    this.killedAt = Math.min(this.killedAt, performance.now());
    if (this.child) this.sandbox.kill(this.child);
    for (const step of this.onKill.splice(0)) step();
  }

  end(): Promise<void> {
    this.kill();
    return (this.ended ??= this.means.clear());
  }

  /** It was killed a while ago: what it had still to tell is left untold. */
  hasSaidEnough(): boolean {
    return performance.now() > this.killedAt + LAST_WORDS_MS;
  }

  get exceeded(): SandboxedProcess['exceeded'] {
    return this.child?.exceeded;
  }

  /** 0 = it cannot be seen. */
  memoryBytes(): number {
    return this.child ? this.sandbox.memoryOf(this.child) : 0;
  }
}
