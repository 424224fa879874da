import { Injectable } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '@app/audit';
import { AppError, newId, type Principal, reachOf } from '@app/common';
import { Notifications, Transactions } from '@app/database';
import type { Budget, RunHold } from './budget.js';
import {
  checkPeriod,
  type GrantInput,
  grantOf,
  invalid,
  limitOf,
  type SetBudgetInput,
  type UpdateBudgetInput,
} from './budget-input.js';
import { amountOf } from './budget.errors.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BUDGETS_CHANNEL, Denials } from './denials.js';

export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

interface PageInput {
  project?: string;
  limit?: number;
  cursor?: string;
}

const PAGE_SIZE = 50;

/**
 * The budgets of keys and projects. Each change is one transaction with its audit event and word to every process;
 * no caller reaches a budget outside the projects it manages: such a budget does not exist for it.
 */
@Injectable()
export class BudgetsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly budgets: BudgetsRepository,
    private readonly audit: AuditLog,
    private readonly notifications: Notifications,
    private readonly denials: Denials,
  ) {}

  /** Makes the budget of a key or project for a unit and period, or gives the one that there is its new limit. */
  async set(principal: Principal, input: SetBudgetInput): Promise<Budget> {
    const period = checkPeriod(input.period);
    const limited = limitOf(input);
    if (!limited) throw invalid('limit_usd', 'or limit_tokens or limit_requests is needed');
    const timeZone = input.timeZone ?? 'UTC';
    if (!(await this.budgets.timeZoneExists(timeZone))) {
      throw invalid('time_zone', 'must be the name of a time zone, such as Europe/Berlin');
    }
    const subject = await this.subjectOf(principal, input);
    return this.changing(async () => {
      const there = await this.budgets.lockLike({ ...subject, ...limited, period });
      if (there) {
        if (input.timeZone !== undefined && input.timeZone !== there.timeZone) {
          throw new AppError('conflict', `the budget ${there.id} is in ${there.timeZone}: remove it first`, {
            param: 'time_zone',
          });
        }
        return this.change(principal, there, { limit: limited.limit, enabled: true });
      }
      const budget = { id: newId('budget'), ...subject, ...limited, period, timeZone };
      if (!(await this.budgets.insert(budget))) {
        throw new AppError('conflict', 'this budget is being set at this moment', { retryAfterSeconds: 1 });
      }
      const made = await this.show(principal, budget.id);
      const { unit, limit } = budget;
      const diff = { key: subject.keyId, unit, limit: amountOf(unit, limit), period, time_zone: timeZone };
      return this.record(principal, 'budget.created', made, diff);
    });
  }

  async list(principal: Principal, input: PageInput = {}): Promise<Page<Budget>> {
    return paged(principal, input, ({ id }) => id, this.budgets.page.bind(this.budgets));
  }

  /** Those that the runs of this key are held to: its own and its project's. */
  async of({ project, keyId }: Principal): Promise<Budget[]> {
    return this.budgets.inForce(project, keyId);
  }

  /** What runs that are under way hold now. */
  async holds(principal: Principal, input: PageInput = {}): Promise<Page<RunHold>> {
    return paged(principal, input, ({ runId }) => runId, this.budgets.holds.bind(this.budgets));
  }

  async show(principal: Principal, id: string): Promise<Budget> {
    return (await this.budgets.find(id, reachOf(principal))) ?? refuse();
  }

  async update(principal: Principal, id: string, input: UpdateBudgetInput): Promise<Budget> {
    const limited = limitOf(input);
    return this.changing(async () => {
      const budget = (await this.budgets.lock(id, reachOf(principal))) ?? refuse();
      if (limited && limited.unit !== budget.unit) {
        throw invalid(`limit_${limited.unit}`, `is not the unit of this budget: that is ${budget.unit}`);
      }
      const { limit = budget.limit } = limited ?? {};
      return this.change(principal, budget, { limit, enabled: input.enabled ?? budget.enabled });
    });
  }

  /** More for the window of this moment, and no other. */
  async grant(principal: Principal, id: string, input: GrantInput): Promise<Budget> {
    return this.changing(async () => {
      const budget = (await this.budgets.lock(id, reachOf(principal))) ?? refuse();
      const amount = grantOf(input, budget);
      const grant = { id: newId('grant'), budget: id, amount, reason: input.reason, by: principal.keyId };
      await this.budgets.grant(grant);
      const diff = { grant: grant.id, amount: amountOf(budget.unit, amount), reason: input.reason ?? null };
      return this.record(principal, 'budget.granted', await this.show(principal, id), diff);
    });
  }

  /** Runs that are under way keep to it to their end. */
  async remove(principal: Principal, id: string): Promise<Budget> {
    return this.changing(async () => {
      const budget = (await this.budgets.lock(id, reachOf(principal))) ?? refuse();
      await this.budgets.remove(id);
      return this.record(principal, 'budget.removed', budget, {});
    });
  }

  private async change(
    principal: Principal,
    budget: Budget,
    to: Pick<Budget, 'limit' | 'enabled'>,
  ): Promise<Budget> {
    if (to.limit === budget.limit && to.enabled === budget.enabled) return budget;
    await this.budgets.update(budget.id, to.limit, to.enabled);
    const shown = ({ limit, enabled }: typeof to) => ({ limit: amountOf(budget.unit, limit), enabled });
    const diff = { from: shown(budget), to: shown(to) };
    return this.record(principal, 'budget.updated', await this.show(principal, budget.id), diff);
  }

  private async subjectOf(
    principal: Principal,
    { key: ref, project }: SetBudgetInput,
  ): Promise<Pick<Budget, 'project' | 'keyId'>> {
    const reach = reachOf(principal);
    if ((ref === undefined) === (project === undefined))
      throw invalid('key', 'or project_id is needed, and not both');
    if (ref !== undefined) {
      const key = await this.budgets.keyOf(ref, reach);
      if (!key) throw new AppError('not_found', 'there is no such key', { param: 'key' });
      return { project: key.project, keyId: key.id };
    }
    const isReached = reach === undefined || project === reach;
    if (!isReached || !(await this.budgets.projectExists(project!))) {
      throw new AppError('not_found', 'there is no such project', { param: 'project_id' });
    }
    return { project: project!, keyId: null };
  }

  private async changing(work: () => Promise<Budget>): Promise<Budget> {
    const changed = await this.transactions.run(work);
    this.denials.forgetAll();
    return changed;
  }

  private async record(
    principal: Principal,
    type: AuditEvent['type'],
    budget: Budget,
    diff: Record<string, unknown>,
  ): Promise<Budget> {
    await this.notifications.notify(BUDGETS_CHANNEL, budget.project);
    await this.audit.append({
      type,
      project: budget.project,
      actor: { kind: principal.kind, id: principal.keyId },
      target: { kind: 'budget', id: budget.id },
      outcome: 'ok',
      diff,
    });
    return budget;
  }
}

async function paged<T>(
  principal: Principal,
  { project, limit = PAGE_SIZE, cursor }: PageInput,
  idOf: (item: T) => string,
  read: (project: string | undefined, before: string | undefined, size: number) => Promise<T[]>,
): Promise<Page<T>> {
  const reach = reachOf(principal) ?? project;
  if (project !== undefined && project !== reach) return { data: [], nextCursor: null };
  const found = await read(reach, cursor, limit + 1);
  const data = found.slice(0, limit);
  return { data, nextCursor: found.length > limit ? idOf(data.at(-1)!) : null };
}

function refuse(): never {
  throw new AppError('not_found', 'there is no such budget');
}
