import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { AppError, type Principal } from '@app/common';
import { Notifications, Transactions } from '@app/database';
import { TaskEvents } from './feed/task-events.js';
import { CANCEL_CHANNEL } from './store/claims.repository.js';
import { TaskEndings } from './store/task-endings.js';
import { TasksRepository } from './store/tasks.repository.js';
import { TaskViews } from './task-views.js';

const LONGEST_WAIT_MS = 3_000;

/** A cancel that is accepted always ends the task as `cancelled`, whatever its run comes to meanwhile. */
@Injectable()
export class TaskCancels {
  constructor(
    private readonly transactions: Transactions,
    private readonly notifications: Notifications,
    private readonly tasks: TasksRepository,
    private readonly endings: TaskEndings,
    private readonly views: TaskViews,
    private readonly events: TaskEvents,
    private readonly audit: AuditLog,
  ) {}

  /** Resolves when the task has ended, or after 3 s. Throws `conflict` when it had ended before. */
  async cancel(principal: Principal, id: string, requestId: string): Promise<void> {
    await this.views.require(principal, id);
    const accepted = await this.transactions.run(() => this.accept(principal, id, requestId));
    if (!accepted) {
      const { status } = await this.views.require(principal, id);
      throw new AppError('conflict', `the task has ended already: it is ${status}`, { details: { status } });
    }
    if (accepted === 'queued') await this.endings.dropTicket(id);
    await this.events.end(id, AbortSignal.timeout(LONGEST_WAIT_MS));
  }

  private async accept(
    principal: Principal,
    id: string,
    requestId: string,
  ): Promise<'queued' | 'running' | undefined> {
    const task = await this.tasks.requestCancel(id, principal.project);
    if (!task) return undefined;
    if (task.status === 'queued') {
      await this.endings.end({ id, attempt: task.attempt }, 'queued', { status: 'cancelled' });
    }
    await this.notifications.notify(CANCEL_CHANNEL, id);
    await this.audit.append({
      type: 'task.cancel_requested',
      project: principal.project,
      actor: { kind: principal.kind, id: principal.keyId },
      target: { kind: 'task', id },
      outcome: 'ok',
      requestId,
    });
    return task.status;
  }
}
