import { Injectable } from '@nestjs/common';
import { AppError } from '@app/common';
import { AppConfig } from '@app/config';
import { CredentialHealth, Sandbox } from '@app/executor';
import type { RunRequest } from './run.js';

/** Whether this installation has what a run needs: a credential for the model and, for a task, walls that hold. */
@Injectable()
export class RunMeans {
  constructor(
    private readonly config: AppConfig,
    private readonly credential: CredentialHealth,
    private readonly sandbox: Sandbox,
  ) {}

  /** Throws what is missing, with what the operator has to do. */
  require(kind: RunRequest['kind']): void {
    this.credential.require();
    // A process that only takes requests has no boxes of its own: the walls are those of the workers.
    if (this.config.role === 'api') return;
    const { tasksRefused } = this.sandbox.isolation;
    if (kind === 'task' && tasksRefused) throw new AppError('sandbox_unavailable', tasksRefused);
  }
}
