import { loadConfig } from '@app/config';
import { startDatabase } from '@app/database';

/** The address of the embedded database of a server that runs with this environment. */
export async function databaseUrlOf(env: Record<string, string>): Promise<string> {
  const database = await startDatabase(loadConfig({}, env));
  return database.url;
}
