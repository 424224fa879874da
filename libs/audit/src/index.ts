export type { AuditEvent } from './audit-event.js';
export { AuditLog } from './audit-log.service.js';
export { AuditModule } from './audit.module.js';
export { canonicalJson } from './canonical-json.js';
export { ChainReader } from './chain-reader.js';
export { Checkpoints } from './checkpoints.service.js';
