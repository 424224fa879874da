import { createHash } from 'node:crypto';
import { type AppConfig, ConfigError } from '@app/config';
import { connect, disconnect } from './connect.js';

/**
 * Makes sure that this process has the secrets that the database's rows were made with; the first one to ask
 * decides. With another pepper every key would be refused without a word why, with another audit key the
 * chain would look forged. Throws `ConfigError` naming the secret; the secrets themselves are never stored.
 */
export async function requireSameSecrets(
  url: string,
  { keyPepper, auditKey }: Pick<AppConfig, 'keyPepper' | 'auditKey'>,
): Promise<void> {
  const client = await connect(url, 'claude-api start');
  try {
    for (const [name, secret] of Object.entries({ KEY_PEPPER: keyPepper, AUDIT_KEY: auditKey })) {
      const { rows } = await client.query<{ fingerprint: string }>(
        `INSERT INTO secret_fingerprints AS known VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET name = known.name RETURNING fingerprint`,
        [name, fingerprintOf(secret)],
      );
      if (rows[0]?.fingerprint === fingerprintOf(secret)) continue;
      throw new ConfigError(
        `${name} is not the one that this database was made with: set the old one (it may be in another home folder); ` +
          `if it is lost, what was made with it stays invalid: DELETE FROM secret_fingerprints`,
      );
    }
  } finally {
    await disconnect(client);
  }
}

/** 64 bits are enough to tell two secrets apart, and tell nothing about a random one. */
function fingerprintOf(secret: string): string {
  return createHash('sha256').update(`claude-api fingerprint ${secret}`).digest('hex').slice(0, 16);
}
