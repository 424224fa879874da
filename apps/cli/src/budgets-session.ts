import { operatorPrincipal } from '@app/auth';
import { BudgetsModule, BudgetsService } from '@app/budgets';
import type { Principal } from '@app/common';
import { withServices } from './services-session.js';

/** The service of budgets in this process, for as long as `work` runs. */
export function withBudgets<T>(
  work: (budgets: BudgetsService, operator: Principal) => Promise<T>,
): Promise<T> {
  return withServices([BudgetsModule], (services) => work(services.get(BudgetsService), operatorPrincipal()));
}
