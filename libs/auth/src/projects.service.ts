import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { AppError, Clock, OPERATOR_PROJECT, type Principal, reachOf, requireInstallation } from '@app/common';
import { Transactions } from '@app/database';
import { invalidInput, noSuchProject } from './auth.errors.js';
import { KeyEpochs } from './key-epochs.js';
import { checkProject, isProject } from './key-input.js';
import { ProjectsRepository, type ProjectView } from './projects.repository.js';

export type { ProjectView } from './projects.repository.js';

export interface ProjectPage {
  data: ProjectView[];
  nextCursor: string | null;
}

const PAGE_SIZE = 50;

/**
 * The tenants. One that is disabled has no key that works, from the commit on and on every instance, and all of
 * them work again once it is enabled. Who manages one project sees that one, and changes none.
 */
@Injectable()
export class ProjectsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly projects: ProjectsRepository,
    private readonly epochs: KeyEpochs,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** By name. */
  async list(principal: Principal, input: { limit?: number; cursor?: string } = {}): Promise<ProjectPage> {
    const { limit = PAGE_SIZE, cursor } = input;
    if (cursor !== undefined && !isProject(cursor)) throw invalidInput('cursor', 'is not one of ours');
    const found = await this.projects.page(reachOf(principal), cursor, limit + 1);
    const data = found.slice(0, limit);
    return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null };
  }

  async show(principal: Principal, id: string): Promise<ProjectView> {
    const isReached = (reachOf(principal) ?? id) === id && isProject(id);
    const project = isReached ? await this.projects.find(id) : undefined;
    if (!project) throw noSuchProject();
    return project;
  }

  /** A project is also made by its first key. */
  async create(principal: Principal, wanted: string): Promise<ProjectView> {
    requireInstallation(principal, 'make projects');
    const id = checkProject(wanted);
    await this.transactions.run(async () => {
      if (!(await this.projects.insert(id, this.clock.now()))) {
        throw new AppError('conflict', `there is a project ${id} already`, { param: 'project_id' });
      }
      await this.record(principal, 'project.created', id);
    });
    return this.show(principal, id);
  }

  /** Also ends what its keys have running. */
  disable(principal: Principal, id: string): Promise<ProjectView> {
    return this.turn(principal, id, 'project.disabled');
  }

  enable(principal: Principal, id: string): Promise<ProjectView> {
    return this.turn(principal, id, 'project.enabled');
  }

  private async turn(
    principal: Principal,
    id: string,
    event: 'project.disabled' | 'project.enabled',
  ): Promise<ProjectView> {
    requireInstallation(principal, 'disable or enable projects');
    await this.show(principal, id);
    if (id === OPERATOR_PROJECT) {
      throw new AppError(
        'conflict',
        "the operator's own project cannot be disabled: revoke its keys instead",
      );
    }
    await this.transactions.run(async () => {
      const at = event === 'project.disabled' ? this.clock.now() : null;
      if (!(await this.projects.setDisabledAt(id, at))) return;
      const keys = await this.epochs.hold({ project: id });
      await this.record(principal, event, id, { keys });
      await this.epochs.raise({ project: id });
    });
    await this.epochs.catchUp();
    return this.show(principal, id);
  }

  private async record(
    by: Principal,
    type: 'project.created' | 'project.disabled' | 'project.enabled',
    id: string,
    diff?: Record<string, unknown>,
  ): Promise<void> {
    const actor = { kind: by.kind, id: by.keyId };
    await this.audit.append({
      type,
      project: id,
      actor,
      target: { kind: 'project', id },
      outcome: 'ok',
      diff,
    });
  }
}
