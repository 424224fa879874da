import { type AppConfig, ConfigError } from '@app/config';
import { BubblewrapSandbox } from './bubblewrap-sandbox.js';
import { findCli } from './cli-program.js';
import { boxAccount, closedFolder } from './host-access.js';
import { ProcessSandbox } from './process-sandbox.js';
import { RunFolders } from './run-folders.js';
import type { Isolation, Sandbox } from './sandbox.js';
import { troubleOf } from './sandbox-probe.js';

/**
 * The walls that this machine has, tried with a real box. `auto` takes the strongest that works; a choice
 * that does not work is a `ConfigError` of one line, never something weaker.
 */
export async function chooseSandbox(
  config: Pick<AppConfig, 'sandbox' | 'cliPath'>,
  folders: RunFolders,
): Promise<Sandbox> {
  if (config.sandbox === 'process') return new ProcessSandbox();
  const found = await tryBubblewrap(config.cliPath, folders);
  if (typeof found !== 'string') return found;
  if (config.sandbox === 'auto') return new ProcessSandbox(found);
  throw new ConfigError(`SANDBOX is bubblewrap, which does not work here: ${found}`);
}

/** What `doctor` tells of it: tried, and nothing left behind. */
export async function probeIsolation(config: AppConfig): Promise<Isolation> {
  const folders = new RunFolders(config);
  try {
    return (await chooseSandbox(config, folders)).isolation;
  } finally {
    await folders.removeOwn();
  }
}

async function tryBubblewrap(
  cliPath: string | undefined,
  folders: RunFolders,
): Promise<BubblewrapSandbox | string> {
  if (process.platform !== 'linux') return 'bubblewrap needs Linux';
  if (process.arch !== 'x64' && process.arch !== 'arm64') return 'its filter knows x64 and arm64 only';
  const sandbox = new BubblewrapSandbox(await folders.own());
  const trouble = await troubleOf(sandbox, folders);
  if (trouble !== undefined) return trouble;
  const cli = cliPath ?? findCli();
  if (cli) sandbox.readyProgram(cli);
  return sandbox;
}

/**
 * For whoever starts a process that runs tasks: what they would fail by is a `ConfigError` of one line now.
 */
export async function requireSandbox(config: AppConfig): Promise<void> {
  if (config.sandbox === 'process' || config.role === 'api') return;
  const account = boxAccount();
  const closed = closedFolder(account, config.blobDir);
  if (closed !== undefined) {
    throw new ConfigError(
      `BLOB_DIR ${config.blobDir} cannot be reached by the user ${account?.uid} that boxes run as: chmod o+x ${closed}, or set BLOB_DIR to another folder`,
    );
  }
  if (config.sandbox === 'bubblewrap') await probeIsolation(config);
}
