import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { KeyChanges } from '@app/auth';
import { AppError } from '@app/common';
import { TaskEndings, taskError } from '../store/task-endings.js';
import { TasksRepository } from '../store/tasks.repository.js';

/**
 * Ends the waiting tasks of a key when it is revoked. One that is missed, or whose key has expired, ends when
 * its turn comes; running ones are cut by whoever knows of all runs.
 */
@Injectable()
export class EndedKeys implements OnModuleInit {
  private readonly logger = new Logger(EndedKeys.name);

  constructor(
    private readonly changes: KeyChanges,
    private readonly tasks: TasksRepository,
    private readonly endings: TaskEndings,
  ) {}

  onModuleInit(): void {
    this.changes.onChange(({ keyId, kind }) => {
      if (kind === 'revoked') void this.endTasksOf(keyId);
    });
  }

  private async endTasksOf(keyId: string): Promise<void> {
    const error = taskError(new AppError('invalid_api_key', 'the API key was revoked'));
    try {
      for (const task of await this.tasks.queuedOf(keyId)) {
        if (await this.endings.end(task, 'queued', { status: 'cancelled', error })) {
          await this.endings.dropTicket(task.id);
        }
      }
    } catch (cause) {
      this.logger.warn({ msg: 'the tasks of a revoked key could not be ended', key_id: keyId, err: cause });
    }
  }
}
