import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { AppError, type Principal } from '@app/common';
import type { Refusal } from '@app/permissions';
import { RunMeans } from './run-means.js';
import { RunPolicy, type RunRights } from './run-policy.js';
import type { RunRequest } from './run.js';

/** May they? What a run gets, or the refusal of everything that it asked for and may not have, audited. */
@Injectable()
export class RunGate {
  constructor(
    private readonly means: RunMeans,
    private readonly policy: RunPolicy,
    private readonly audit: AuditLog,
  ) {}

  async rights(principal: Principal, request: RunRequest): Promise<RunRights> {
    this.means.require(request.kind);
    const rights = await this.policy.for(principal, request);
    if (rights.refusals.length > 0) await this.refuse(principal, request, rights.refusals);
    return rights;
  }

  /** The same, with nothing refused yet. */
  look(principal: Principal, request: RunRequest): Promise<RunRights> {
    return this.policy.for(principal, request);
  }

  /** Throws `permission_denied` once the denial is written. */
  private async refuse(principal: Principal, request: RunRequest, refusals: Refusal[]): Promise<never> {
    await this.audit.append({
      type: 'run.refused',
      project: principal.project,
      actor: { kind: 'key', id: principal.keyId },
      target: { kind: request.kind, id: request.model },
      outcome: 'denied',
      diff: { refused: refusals.map(({ item, rule }) => ({ item, rule })) },
      requestId: request.requestId,
    });
    throw new AppError('permission_denied', refusals.map(({ message }) => message).join('; '), {
      details: { refusals },
    });
  }
}
