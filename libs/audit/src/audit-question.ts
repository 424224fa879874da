import type { AuditEvent } from './audit-event.js';

/** Which events; what is left out does not matter. `from` is included, `to` is not. */
export interface AuditQuestion {
  project?: string;
  type?: AuditEvent['type'];
  actor?: string;
  target?: string;
  outcome?: AuditEvent['outcome'];
  from?: Date;
  to?: Date;
  limit?: number;
  cursor?: string;
}
