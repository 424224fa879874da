import { accessSync, constants } from 'node:fs';
import { cliVersion, findCli } from '@app/executor';
import type { Finding } from './finding.js';

/** The CLI that runs use: is it there, and what version does it say it is? */
export async function checkClaudeCli(cliPath: string | undefined): Promise<Finding> {
  const path = cliPath ?? findCli();
  const fix = cliPath
    ? 'set CLAUDE_CLI_PATH to a Claude Code binary, or unset it'
    : 'run "npm ci" again, with optional packages';
  if (!path) return { check: 'claude cli', status: 'fail', detail: 'its package is not installed', fix };
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return { check: 'claude cli', status: 'fail', detail: `${path} cannot be run`, fix };
  }
  const version = await cliVersion(path);
  if (!version)
    return { check: 'claude cli', status: 'fail', detail: `${path} does not say its version`, fix };
  return { check: 'claude cli', status: 'ok', detail: version };
}
