import type pg from 'pg';
import { PgBoss } from 'pg-boss';

/** Brings pg-boss's own schema up to the version that is installed. For one process at a time. */
export async function installJobQueue(client: pg.Client): Promise<void> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => client.query(text, values) },
    supervise: false,
    schedule: false,
  });
  await boss.start();
  await boss.stop({ graceful: false, close: false });
}
