export { AUDIT_EVENT_TYPES, type AuditEvent, type AuditEventType } from './audit-event.js';
export { AuditLog, type ChainVerdict } from './audit-log.service.js';
export { AuditModule } from './audit.module.js';
export { canonicalJson } from './canonical-json.js';
