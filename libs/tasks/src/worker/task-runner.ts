import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { KeysService } from '@app/auth';
import { AppError, type Principal } from '@app/common';
import { Tiers } from '@app/permissions';
import { type Run, type RunRequest, type RunResult, Runs } from '@app/runs';
import { ClaimsRepository } from '../store/claims.repository.js';
import { TaskEndings } from '../store/task-endings.js';
import type { Claim, TaskInput } from '../task.js';
import type { Collection, Workspace } from '../workspaces/workspace.js';
import { Workspaces } from '../workspaces/workspaces.service.js';
import { EventLog } from './event-log.js';
import type { Hold } from './hold.js';
import { eventOf, runRequestOf } from './run-words.js';
import { endingOf, failedBeforeStart } from './task-ending.js';

const RETRY_AFTER_MS = 500;
/** What stands in the way now and not for long: the task waits for its turn again. */
const PASSING = new Set(['concurrency_limited', 'conflict', 'shutting_down', 'database_unavailable']);

/**
 * Brings one claimed task to its end: its run, what the run tells, what it leaves. Whatever happens, the task
 * has ended, waits again, or is in other hands when `run` resolves; it never throws.
 */
@Injectable()
export class TaskRunner {
  private readonly logger = new Logger(TaskRunner.name);

  constructor(
    private readonly keys: KeysService,
    private readonly tiers: Tiers,
    private readonly runs: Runs,
    private readonly workspaces: Workspaces,
    private readonly claims: ClaimsRepository,
    private readonly endings: TaskEndings,
    private readonly log: EventLog,
  ) {}

  async run(hold: Hold): Promise<void> {
    try {
      await this.attempt(hold);
    } catch (error) {
      await this.giveUp(hold, error);
    }
  }

  private async attempt(hold: Hold): Promise<void> {
    const { claim } = hold;
    const principal = await this.keys.principalOf(claim.key_id);
    if (!principal) throw new AppError('invalid_api_key', 'the API key was revoked or has expired');
    const input = await this.claims.inputOf(claim.id);
    if (!input) throw new Error('the input of the task is gone');
    // A named workspace is a folder that is there already: no process can have been waiting in it.
    const reserved = claim.workspace ? undefined : await this.reserve(principal, claim, input);
    try {
      const workspace = await this.workspaces.prepare({
        taskId: claim.id,
        attempt: claim.attempt,
        project: claim.project,
        workspace: claim.workspace ?? undefined,
        files: input.files.map(({ path, base64 }) => ({ path, content: Buffer.from(base64, 'base64') })),
        quotaBytes: this.tiers.get(principal.tier).workspaceBytes,
        ready: reserved,
      });
      await this.work(hold, principal, runRequestOf(claim, input, workspace.dir, reserved), workspace);
    } finally {
      await reserved?.end();
    }
  }

  private async work(
    hold: Hold,
    principal: Principal,
    request: RunRequest,
    workspace: Workspace,
  ): Promise<void> {
    try {
      const run = await this.runs.start(principal, request, hold.signal);
      const result = await this.follow(hold, run);
      if (!hold.lost) await this.finish(hold, workspace, result);
    } finally {
      await workspace.release();
    }
  }

  /** What the task would be refused for is said when it starts. */
  private async reserve(principal: Principal, claim: Claim, input: TaskInput) {
    return this.runs.reserve(principal, runRequestOf(claim, input, '')).catch(() => undefined);
  }

  /** Reads a run to its end, also when nobody wants it any more: only so is it settled. */
  private async follow(hold: Hold, run: Run): Promise<RunResult> {
    const writer = this.log.writerFor(hold);
    const noted = this.note(hold, run.id);
    hold.signal.addEventListener('abort', () => hold.lost && writer.drop());
    let result: RunResult | undefined;
    for await (const event of run.events) {
      if (event.type === 'ended') result = event.result;
      else await writer.add(eventOf(event, run.policy));
    }
    await noted;
    await writer.end();
    if (!result) throw new Error('a run ended without its last event');
    return result;
  }

  /** So that whoever finds the task without its worker can end the run too. */
  private async note(hold: Hold, runId: string): Promise<void> {
    if (!(await this.untilWritten(hold, () => this.claims.setRun(hold.claim, runId)))) hold.lose();
  }

  private async finish(hold: Hold, workspace: Workspace, result: RunResult): Promise<void> {
    const { claim } = hold;
    const { artifacts, skipped } = await this.collect(hold, workspace);
    const facts = { cancelled: hold.cancelled, queueMs: claim.queue_ms };
    const ending = endingOf(result, skipped, facts);
    const wasCut = result.failure?.code === 'shutting_down' && !hold.cancelled;
    await this.untilWritten(hold, () =>
      wasCut ? this.endings.putBack(claim, ending) : this.endings.end(claim, 'running', ending, artifacts),
    );
  }

  /** A result is worth more than the files that go with it. */
  private async collect(hold: Hold, workspace: Workspace): Promise<Collection> {
    try {
      return await workspace.collect();
    } catch (error) {
      this.logger.error({ msg: 'artifacts could not be kept', task_id: hold.claim.id, err: error });
      return { artifacts: [], skipped: [{ reason: 'unreadable', count: 1 }] };
    }
  }

  private async giveUp(hold: Hold, error: unknown): Promise<void> {
    if (hold.lost) return;
    const failure = asFailure(error);
    if (failure.cause || failure !== error) {
      this.logger.warn({ msg: 'a task could not be run', task_id: hold.claim.id, err: error });
    }
    const ending = hold.cancelled ? ({ status: 'cancelled' } as const) : failedBeforeStart(failure);
    const isPassing = PASSING.has(failure.code) && !hold.cancelled;
    await this.untilWritten(hold, () =>
      isPassing ? this.endings.putBack(hold.claim, ending) : this.endings.end(hold.claim, 'running', ending),
    );
  }

  /** The database may be away for a while; the row itself then tells whether the task is still ours. */
  private async untilWritten(hold: Hold, write: () => Promise<boolean>): Promise<boolean> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const isAway = error instanceof AppError && error.code === 'database_unavailable';
        this.logger.error({ msg: 'a task could not be written', task_id: hold.claim.id, err: error });
        // Without its lease it is found, and settled, as the task of a lost worker.
        if (!isAway || hold.lost) return false;
        await sleep(RETRY_AFTER_MS);
      }
    }
  }
}

function asFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('internal_error', 'the task failed for a reason of ours', { cause: error });
}
