import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { nanoToUsd } from '@app/budgets';
import { AppError, ERROR_TABLE } from '@app/common';
import { Transactions } from '@app/database';
import { Runs } from '@app/runs';
import type { CollectedArtifact } from '../artifacts/artifact.js';
import { ArtifactsRepository } from '../artifacts/artifacts.repository.js';
import { ArtifactDto } from '../artifacts/dto/artifact.dto.js';
import { storable } from '../storable.js';
import type { NewTaskEvent } from '../task-event.js';
import type { Claim, TaskError } from '../task.js';
import { ClaimsRepository, type EndedTask, type LostTask, type TaskEnding } from './claims.repository.js';
import { TaskEventsRepository } from './task-events.repository.js';
import { TaskQueue } from './task-queue.js';

type Held = Pick<Claim, 'id' | 'attempt'>;

/**
 * Every way out of a task's hands: its end, with event, artifacts and audit in one transaction, exactly once; or
 * back into the queue. False from each means that the task was not in these hands any more and nothing was done.
 */
@Injectable()
export class TaskEndings {
  constructor(
    private readonly transactions: Transactions,
    private readonly claims: ClaimsRepository,
    private readonly events: TaskEventsRepository,
    private readonly artifacts: ArtifactsRepository,
    private readonly queue: TaskQueue,
    private readonly runs: Runs,
    private readonly audit: AuditLog,
  ) {}

  async end(
    held: Held,
    from: 'queued' | 'running',
    ending: TaskEnding,
    artifacts: CollectedArtifact[] = [],
  ): Promise<boolean> {
    return this.transactions.run(async () => {
      const task = await this.claims.end(held, from, storable(ending));
      if (!task) return false;
      await this.artifacts.insert(task.id, artifacts);
      await this.events.add(task.id, task.last_seq, resultEvent(task, artifacts));
      // That of a task that waited goes afterwards: a dispatcher may hold it and wait for the task's row.
      if (from === 'running') await this.queue.remove(task.id);
      await this.audit.append({
        type: 'task.ended',
        project: task.project,
        actor: { kind: 'key', id: task.key_id },
        target: { kind: 'task', id: task.id },
        outcome: task.status === 'succeeded' ? 'ok' : 'failed',
        diff: { status: task.status, error_code: task.error?.code ?? null, run: task.run_id },
        requestId: task.request_id ?? undefined,
      });
      return true;
    });
  }

  /** After the transaction that ended a waiting task. A ticket that is missed here goes when its turn comes. */
  async dropTicket(id: string): Promise<void> {
    await this.queue.remove(id);
  }

  /** Its turn comes again and its place in line is kept; one that has started already ends with `otherwise`. */
  async putBack(held: Held, otherwise: TaskEnding): Promise<boolean> {
    return this.transactions.run(async () => {
      if (!(await this.claims.putBack(held))) return this.end(held, 'running', otherwise);
      await this.queue.putBack(held.id);
      return true;
    });
  }

  /** Ends, or queues again, one task whose worker is lost, and its run. False when there is none. */
  async settleLost(): Promise<boolean> {
    return this.transactions.run(async () => {
      const task = await this.claims.takeLost();
      if (!task) return false;
      // The run first: its own end too locks its row before the audit, and a stopped worker may be at it again.
      if (task.run_id) {
        await this.runs.abandon({ id: task.run_id, project: task.project, key_id: task.key_id });
      }
      if (task.started_at || !(await this.queueAgain(task))) {
        await this.end(task, 'running', { status: 'failed', error: WORKER_LOST });
      }
      return true;
    });
  }

  private async queueAgain(task: LostTask): Promise<boolean> {
    if (!(await this.claims.putBack(task))) return false;
    await this.queue.putBack(task.id);
    const seq = await this.claims.raiseSeq(task.id);
    await this.events.add(task.id, seq, { type: 'queued', data: { position: 1, attempt: task.attempt + 1 } });
    return true;
  }
}

/** For the task's row: what the caller is told. */
export function taskError(error: AppError): TaskError {
  const { code, message, details } = error;
  return { type: ERROR_TABLE[code].type, code, message, details };
}

const WORKER_LOST = taskError(
  new AppError('worker_lost', 'the server that ran the task was lost: what it had done is in its events'),
);

function resultEvent(task: EndedTask, artifacts: CollectedArtifact[]): NewTaskEvent {
  const { id, status, result, error, usage, cost_nano: cost } = task;
  const data = {
    status,
    summary: result?.summary ?? null,
    result,
    error,
    usage,
    cost_usd: cost === null ? null : nanoToUsd(BigInt(cost)),
    artifacts: artifacts.map((artifact) => ArtifactDto.from({ ...artifact, taskId: id })),
  };
  return { type: 'result', data };
}
