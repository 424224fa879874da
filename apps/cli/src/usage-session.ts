import { operatorPrincipal } from '@app/auth';
import { UsageModule } from '@app/budgets';
import type { Principal } from '@app/common';
import { type Services, withServices } from './services-session.js';

/** Usage in this process, for as long as `work` runs. */
export function withUsage<T>(work: (services: Services, operator: Principal) => Promise<T>): Promise<T> {
  return withServices([UsageModule], (services) => work(services, operatorPrincipal()));
}
