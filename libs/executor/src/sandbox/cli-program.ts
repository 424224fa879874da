import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { childEnvironment } from '@app/config';

const run = promisify(execFile);
const VERSION_TIMEOUT_MS = 15_000;

/** The CLI that the SDK ships: a package of its own beside it, one for each platform. */
export function findCli(): string | undefined {
  const { platform, arch } = process;
  const file = platform === 'win32' ? 'claude.exe' : 'claude';
  const { resolve } = createRequire(import.meta.url);
  for (const libc of ['', '-musl']) {
    try {
      return resolve(`@anthropic-ai/claude-agent-sdk-${platform}-${arch}${libc}/${file}`);
    } catch {
      // the other one, or none
    }
  }
  return undefined;
}

/** What the CLI says of itself, asked in a home of its own. Undefined = it does not say. */
export async function cliVersion(path: string): Promise<string | undefined> {
  const home = await mkdtemp(join(tmpdir(), 'claude-api-version-'));
  const env = { ...childEnvironment(), HOME: home, CLAUDE_CONFIG_DIR: home };
  try {
    const { stdout } = await run(path, ['--version'], {
      cwd: home,
      env,
      timeout: VERSION_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    return /^[0-9]+\.[0-9]+\.[0-9]+/.exec(stdout)?.[0];
  } catch {
    return undefined;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
