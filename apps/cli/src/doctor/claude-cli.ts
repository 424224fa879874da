import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProcessSandbox } from '@app/executor';
import type { Finding } from './finding.js';

const VERSION_TIMEOUT_MS = 15_000;

/** The CLI that runs use: is it there, and what version does it say it is? */
export async function checkClaudeCli(cliPath: string | undefined): Promise<Finding> {
  const path = cliPath ?? shippedCli();
  const fix = cliPath
    ? 'set CLAUDE_CLI_PATH to a Claude Code binary, or unset it'
    : 'run "npm ci" again, with optional packages';
  if (!path) return { check: 'claude cli', status: 'fail', detail: 'its package is not installed', fix };
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return { check: 'claude cli', status: 'fail', detail: `${path} cannot be run`, fix };
  }
  const version = await versionOf(path);
  if (!version)
    return { check: 'claude cli', status: 'fail', detail: `${path} does not say its version`, fix };
  return { check: 'claude cli', status: 'ok', detail: version };
}

/** The binary is a package of its own beside the SDK, one for each platform. */
function shippedCli(): string | undefined {
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

async function versionOf(path: string): Promise<string | undefined> {
  const workDir = mkdtempSync(join(tmpdir(), 'claude-api-doctor-'));
  const sandbox = new ProcessSandbox();
  const folder = { root: workDir, home: workDir, configDir: workDir, workDir, pluginDir: workDir };
  const child = sandbox.spawn({
    command: path,
    args: ['--version'],
    env: { HOME: workDir, CLAUDE_CONFIG_DIR: workDir },
    folder,
    broker: { url: '', socketPath: '' },
    limits: { memoryBytes: Infinity, processes: Infinity },
  });
  const timer = setTimeout(() => sandbox.kill(child), VERSION_TIMEOUT_MS);
  let output = '';
  child.stdin.end();
  child.stderr.resume();
  child.stdout.on('data', (piece) => (output += piece));
  const code = await new Promise((ended) => child.on('close', ended).on('error', ended));
  clearTimeout(timer);
  rmSync(workDir, { recursive: true, force: true });
  return code === 0 ? /^[0-9]+\.[0-9]+\.[0-9]+/.exec(output)?.[0] : undefined;
}
