import { Injectable } from '@nestjs/common';
import { AppError } from '@app/common';
import { CredentialHealth, Sandbox } from '@app/executor';
import type { RunRequest } from './run.js';

/** Whether this installation has what a run needs: a credential for the model and, for a task, walls that hold. */
@Injectable()
export class RunMeans {
  constructor(
    private readonly credential: CredentialHealth,
    private readonly sandbox: Sandbox,
  ) {}

  /** Throws what is missing, with what the operator has to do. */
  require(kind: RunRequest['kind']): void {
    this.credential.require();
    const { tasksRefused } = this.sandbox.isolation;
    if (kind === 'task' && tasksRefused) throw new AppError('sandbox_unavailable', tasksRefused);
  }
}
