import { AuditModule } from '@app/audit';
import { operatorPrincipal } from '@app/auth';
import type { Principal } from '@app/common';
import { type Services, withServices } from './services-session.js';

/** The audit in this process, for as long as `work` runs. */
export function withAudit<T>(work: (services: Services, operator: Principal) => Promise<T>): Promise<T> {
  return withServices([AuditModule], (services) => work(services, operatorPrincipal()));
}
