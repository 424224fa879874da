import { randomUUID } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { BoundRun } from '../broker/bound-run.js';
import { fingerprintOf } from '../pool/fingerprint.js';
import type { Claim, ProcessKind } from '../pool/pooled-process.js';
import { ProcessPool } from '../pool/process-pool.js';
import type { AgenticSpec, RunSpec, TaskOutline } from '../run-spec.js';
import type { TaskReservation } from '../task-reservation.js';
import { Sandbox } from '../sandbox/sandbox.js';
import { CliBoxes } from './cli-box.js';
import type { CliSession } from './cli-session.js';
import { skillsFingerprint } from './skill-plugin.js';
import { type AgenticTask, TaskProcess } from './task-process.js';
import type { ToolTrail } from './tool-trail.js';

/** A process that is held for one task, until that task runs or does not. */
class Reservation implements TaskReservation {
  private isTaken = false;

  constructor(
    readonly fingerprint: string,
    private readonly claim: Claim<TaskProcess>,
  ) {}

  moveTo(dir: string): Promise<boolean> {
    return this.claim.process.moveTo(dir);
  }

  take(): Claim<TaskProcess> | undefined {
    if (this.isTaken) return undefined;
    this.isTaken = true;
    return this.claim;
  }

  async end(): Promise<void> {
    await this.take()?.discard();
  }
}

/**
 * Tasks that a waiting process can serve. Only what can be fixed before the task is known: no history, no output
 * schema, no limit of turns, and a folder that nobody has worked in.
 */
@Injectable()
export class PooledTasks {
  constructor(
    private readonly config: AppConfig,
    private readonly boxes: CliBoxes,
    private readonly sandbox: Sandbox,
    private readonly pool: ProcessPool,
  ) {}

  async reserve(outline: TaskOutline): Promise<TaskReservation | undefined> {
    const { agentic, history } = outline;
    // Without a box a workspace has no name of its own inside, and would lose it when it is moved.
    if (!this.pool.isEnabled || this.sandbox.isolation.level !== 'strong') return undefined;
    if (history?.length || agentic.outputSchema || agentic.maxTurns !== undefined) return undefined;
    const fingerprint = await this.fingerprintOf(outline.model, agentic);
    const claim = this.pool.take(this.kind(fingerprint, outline));
    return claim && new Reservation(fingerprint, claim);
  }

  /** The session of a task that has a process reserved; undefined = it has none, or not one for what it is now. */
  async start(spec: RunSpec, trail: ToolTrail): Promise<CliSession | undefined> {
    const { agentic } = spec;
    if (!agentic || !(agentic.reserved instanceof Reservation)) return undefined;
    const claim = agentic.reserved.take();
    if (!claim) return undefined;
    const { process, warm, discard } = claim;
    try {
      if ((await this.fingerprintOf(spec.model, agentic)) !== agentic.reserved.fingerprint) {
        await discard();
        return undefined;
      }
      const bound = new BoundRun(spec);
      const messages = await process.serve(spec as AgenticTask, bound, trail);
      return { bound, box: process.box, messages, pooled: { warm }, end: discard };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  private kind(fingerprint: string, { model, agentic }: TaskOutline): ProcessKind<TaskProcess> {
    const { cliPath } = this.config;
    // Nothing of the task itself: what it allows is decided by the task that is served.
    const like = { model, agentic: { ...agentic, agents: agentic.agents.slice(0, 1) } } as AgenticTask;
    const start = async () => {
      const workspace = { ...agentic.workspace, dir: await this.makeFolder() };
      const name = `pool_${randomUUID()}`;
      return TaskProcess.start({ boxes: this.boxes, name, cliPath, workspace, like });
    };
    return { fingerprint, label: `task ${model}`, start };
  }

  /** Beside the throw-away folders of tasks, so that it can become one of them. */
  private async makeFolder(): Promise<string> {
    const shelf = join(this.config.blobDir, 'scratch');
    await mkdir(shelf, { recursive: true });
    for (const folder of [this.config.blobDir, shelf]) await chmod(folder, 0o711);
    const dir = join(shelf, `spare_${randomUUID()}`);
    await mkdir(dir, { mode: 0o700 });
    return dir;
  }

  private async fingerprintOf(
    model: string,
    agentic: Omit<AgenticSpec, 'workspace'> & Pick<TaskOutline['agentic'], 'workspace'>,
  ) {
    const { tools, agents, skills, limits, workspace } = agentic;
    const { writable, quotaBytes } = workspace;
    return fingerprintOf({
      ...{ for: 'task', model, cliPath: this.config.cliPath, tools, hasAgents: agents.length > 0, limits },
      ...{ writable, quotaBytes, skills: await skillsFingerprint(skills) },
    });
  }
}
