import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { pricesFrom } from '@app/budgets';
import { type AppConfig, ConfigError, type ModelCredential } from '@app/config';
import { probeIsolation } from '@app/executor';
import { call, jsonOf } from '../http/live-server.js';
import type { Finding } from './finding.js';

/** The home holds secrets and the database. Windows guards a profile's folders by itself. */
export function checkHome(home: string): Finding {
  const mode = statSync(home).mode & 0o777;
  if (process.platform === 'win32' || (mode & 0o077) === 0) {
    return { check: 'home', status: 'ok', detail: home };
  }
  return {
    check: 'home',
    status: 'fail',
    detail: `${home} is open to other users (${mode.toString(8)})`,
    fix: `chmod 700 ${home}`,
  };
}

/** Says which kind there is, never what it is. */
export function checkCredential(credential: ModelCredential | undefined): Finding {
  if (credential) return { check: 'credential', status: 'ok', detail: credential.kind };
  return {
    check: 'credential',
    status: 'warn',
    detail: 'none: the server starts, and answers runs with 503',
    fix: 'set ANTHROPIC_API_KEY, or CLAUDE_CODE_OAUTH_TOKEN as "claude setup-token" prints it',
  };
}

/** Those that runs are paid by. */
export function checkPrices(file: string | undefined): Finding {
  try {
    const { version } = pricesFrom(file);
    return {
      check: 'prices',
      status: 'ok',
      detail: `${version}${file ? `: ${file} over the built-in ones` : ''}`,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = 'correct that file, or unset PRICES_FILE: then the built-in prices are used';
    return { check: 'prices', status: 'fail', detail: error.message, fix };
  }
}

/** Tries a real box, as a start does. */
export async function checkIsolation(config: AppConfig): Promise<Finding> {
  try {
    const { level, detail, tasksRefused } = await probeIsolation(config);
    const status = level === 'strong' ? 'ok' : 'warn';
    return { check: 'isolation', status, detail: `${level}: ${detail}`, fix: tasksRefused };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fix = 'do that, or unset SANDBOX: without a sandbox completions run, tasks do not';
    return { check: 'isolation', status: 'fail', detail: error.message, fix };
  }
}

/** Free, or held by this very service. */
export async function checkPort({ host, port }: Pick<AppConfig, 'host' | 'port'>): Promise<Finding> {
  const taken = await listenError(host, port);
  if (taken === undefined) return { check: 'port', status: 'ok', detail: `${host}:${port} is free` };
  if (taken === 'EADDRINUSE' && (await isOurs(host, port))) {
    return { check: 'port', status: 'ok', detail: `this service answers on ${host}:${port}` };
  }
  const detail = taken === 'EADDRINUSE' ? 'belongs to another program' : `cannot be used (${taken})`;
  return { check: 'port', status: 'fail', detail: `${host}:${port} ${detail}`, fix: 'set PORT or HOST' };
}

async function listenError(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((known) => {
    server.once('error', (error: NodeJS.ErrnoException) => known(error.code ?? 'unknown'));
    server.listen(port, host, () => server.close(() => known(undefined)));
  });
}

async function isOurs(host: string, port: number): Promise<boolean> {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  const url = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  try {
    const response = await call(
      { url },
      { method: 'GET', path: '/health', signal: AbortSignal.timeout(2_000) },
    );
    const { status, uptime_seconds: uptime } = (await jsonOf(response)) as Record<string, unknown>;
    return status === 'ok' && typeof uptime === 'number';
  } catch {
    return false;
  }
}
