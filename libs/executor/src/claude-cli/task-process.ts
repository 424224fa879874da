import { rename, rm } from 'node:fs/promises';
import { prewarm, type Query, type SDKMessage, type SpareProcess } from '@anthropic-ai/claude-agent-sdk';
import type { BoundRun } from '../broker/bound-run.js';
import { Pass } from '../broker/pass.js';
import type { PooledProcess } from '../pool/pooled-process.js';
import type { RunSpec, WorkspaceDir } from '../run-spec.js';
import { agentDefinitions } from './agentic-options.js';
import type { CliBox, CliBoxes } from './cli-box.js';
import { spareOptions } from './sdk-options.js';
import { makeSkillPlugin } from './skill-plugin.js';
import { ToolTrail } from './tool-trail.js';

const STARTS_WITHIN_MS = 30_000;
/** As in the words of a CLI that would not take a session. */
const NOT_TAKEN = /^not_claimed/;

export type AgenticTask = RunSpec & Required<Pick<RunSpec, 'agentic'>>;

interface TaskProcessMeans {
  boxes: CliBoxes;
  name: string;
  cliPath: string | undefined;
  /** A folder of its own, made and empty. */
  workspace: WorkspaceDir;
  /** What the tasks that it can serve have in common. */
  like: Pick<AgenticTask, 'model' | 'agentic'>;
}

/**
 * A process of the CLI that waits for a task in an empty workspace of its own. Guarantees: it serves one task; the
 * tools, skills and limits of its box are those of the task, and nobody's tool call is decided before it serves one.
 */
export class TaskProcess implements PooledProcess {
  private trail = new ToolTrail(() => {
    throw new Error('it serves no task yet');
  });
  private spare: SpareProcess;
  private isMoved = false;

  private constructor(
    readonly box: CliBox,
    private readonly pass: Pass,
    private readonly workspace: WorkspaceDir,
  ) {}

  static async start(means: TaskProcessMeans): Promise<TaskProcess> {
    try {
      return await TaskProcess.boxed(means);
    } catch (error) {
      await rm(means.workspace.dir, { recursive: true, force: true });
      throw error;
    }
  }

  private static async boxed({ boxes, name, cliPath, workspace, like }: TaskProcessMeans) {
    const { limits, skills } = like.agentic;
    const pass = new Pass();
    const box = await boxes.open(name, pass, {
      ...{ workspace, limits },
      furnish: async ({ pluginDir }) => {
        if (skills.length > 0) await makeSkillPlugin(pluginDir, skills);
      },
    });
    pass.onStray = () => box.kill();
    const late = setTimeout(() => box.kill(), STARTS_WITHIN_MS);
    try {
      const process = new TaskProcess(box, pass, workspace);
      const options = spareOptions(like, box.view, cliPath, () => process.trail);
      process.spare = await prewarm({ options: { ...options, spawnClaudeCodeProcess: box.spawn } });
      // Nobody may ask: a process that is not claimed is no failure.
      process.spare.claimed.catch(() => undefined);
      box.whenKilled(() => process.spare.close());
      return process;
    } catch (error) {
      await box.end();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  get gone(): Promise<void> {
    return this.box.gone;
  }

  memoryBytes(): number {
    return this.box.memoryBytes();
  }

  async reset(): Promise<void> {
    throw new Error('a process that worked on a task serves no other');
  }

  /** Its workspace becomes the folder of this name, which must not exist. False = it has none to give. */
  async moveTo(dir: string): Promise<boolean> {
    try {
      await rename(this.workspace.dir, dir);
    } catch {
      return false;
    }
    this.workspace.dir = dir;
    this.isMoved = true;
    return true;
  }

  /** Gives what was put into the workspace since to whom the box runs as, and tells the CLI its task. */
  async serve(spec: AgenticTask, bound: BoundRun, trail: ToolTrail): Promise<AsyncIterable<SDKMessage>> {
    await this.box.giveWorkspace();
    this.trail = trail;
    this.pass.serve(bound);
    const { agents } = spec.agentic;
    return this.heard(
      this.spare.claim({
        prompt: spec.prompt,
        options: {
          cwd: this.box.view.workDir,
          ...(spec.system === undefined ? {} : { appendSystemPrompt: spec.system }),
          ...(agents.length > 0 ? { agents: agentDefinitions(agents) } : {}),
        },
      }),
    );
  }

  async end(): Promise<void> {
    await this.box.end();
    if (!this.isMoved) await rm(this.workspace.dir, { recursive: true, force: true });
  }

  private async *heard(messages: Query): AsyncGenerator<SDKMessage> {
    for await (const message of messages) {
      const said = message.type === 'result' && message.subtype === 'success' ? message.result : '';
      if (NOT_TAKEN.test(said)) throw new Error(said);
      yield message;
    }
  }
}
