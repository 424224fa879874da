import { loadConfig } from '@app/config';
import { checkClaudeCli } from './claude-cli.js';
import { checkDatabase } from './database.js';
import type { Finding } from './finding.js';
import { checkCredential, checkHome, checkIsolation, checkPort, checkPrices } from './machine.js';

/** Every check, in the order in which a start needs them. Throws `ConfigError` when there is nothing to check by. */
export async function diagnose(): Promise<Finding[]> {
  const config = loadConfig();
  return [
    // The launcher has refused a Node that is too old.
    { check: 'node', status: 'ok', detail: process.version },
    checkHome(config.home),
    await checkClaudeCli(config.cliPath),
    await checkIsolation(config),
    checkCredential(config.credential),
    checkPrices(config.pricesFile),
    ...(await checkDatabase(config)),
    await checkPort(config),
  ];
}
