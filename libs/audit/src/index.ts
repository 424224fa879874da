export type { AuditEvent } from './audit-event.js';
export { AuditLog } from './audit-log.service.js';
export { AuditModule } from './audit.module.js';
export { canonicalJson } from './chain/canonical-json.js';
export { ChainReader } from './chain/chain-reader.js';
export { Checkpoints } from './chain/checkpoints.service.js';
