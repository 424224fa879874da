import { loadConfig } from '@app/config';
import { type DatabaseHandle, startDatabase } from '@app/database';

/** The database as it is, for as long as `work` runs; one that had to be started is stopped again. */
export async function withDatabase<T>(work: (database: DatabaseHandle) => Promise<T>): Promise<T> {
  const database = await startDatabase(loadConfig());
  try {
    return await work(database);
  } finally {
    await database.release();
  }
}
