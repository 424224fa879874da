export { InstanceLock } from './instance-lock.js';
export type { DatabaseHandle } from './database-handle.js';
export { DatabaseHealth } from './database-health.js';
export { DatabaseModule } from './database.module.js';
export { migrate, migrationStatus } from './migrate.js';
export { Notifications } from './notifications.js';
export { removeEmbeddedDatabase, startDatabase } from './start-database.js';
export { requireSameSecrets } from './secret-fingerprints.js';
export { Transactions } from './transactions.js';
