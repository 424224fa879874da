import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeEmbeddedDatabase } from '@app/database';

const LAUNCHER = resolve(__dirname, '../../bin/claude-api.cjs');
const START_MS = 60_000;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => server.once('listening', ready));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Nothing of the developer's environment but how to find programs. */
export function cleanEnvironment(home: string, env: Record<string, string>): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: home, CLAUDE_API_HOME: join(home, 'data'), ...env };
}

/** `claude-api serve` as its user starts it: a process of its own, its own home, its own database. */
export class ServerProcess {
  /** Everything it printed. */
  output = '';
  exitCode: number | null | undefined;

  private constructor(
    readonly home: string,
    readonly port: number,
    readonly env: Record<string, string>,
    readonly child: ChildProcess,
  ) {
    child.stdout?.on('data', (chunk) => (this.output += chunk));
    child.stderr?.on('data', (chunk) => (this.output += chunk));
    child.on('exit', (code) => (this.exitCode = code));
  }

  static async temporaryHome(): Promise<string> {
    return mkdtemp(join(tmpdir(), 'server-process-'));
  }

  /** Starts it and does not wait. */
  static async spawn(
    home: string,
    env: Record<string, string> = {},
    flags: string[] = [],
  ): Promise<ServerProcess> {
    const port = Number(env.PORT ?? (await freePort()));
    const full = cleanEnvironment(home, { PORT: String(port), LOG_LEVEL: 'warn', ...env });
    const child = spawn(process.execPath, [LAUNCHER, 'serve', ...flags], {
      env: full,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new ServerProcess(home, port, full, child);
  }

  /** Starts it and waits until it answers and has told the operator so. */
  static async start(
    home: string,
    env: Record<string, string> = {},
    flags: string[] = [],
  ): Promise<ServerProcess> {
    const server = await ServerProcess.spawn(home, env, flags);
    for (const end = Date.now() + START_MS; Date.now() < end; await sleep(50)) {
      if (server.exitCode !== undefined) break;
      if (env.ROLE === 'worker' && server.output.includes('a worker')) return server;
      const answer = await fetch(`${server.url}/health`).catch(() => null);
      if (answer?.ok && server.output.includes('docs')) return server;
    }
    server.child.kill('SIGKILL');
    throw new Error(`the server did not start: ${server.output}`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Runs `claude-api …` on the same home. */
  async cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return runCli(this.env, args);
  }

  async createKey(profile = 'enterprise', project = 'my-app'): Promise<{ id: string; key: string }> {
    const { stdout, stderr, code } = await this.cli(
      ...['keys', 'create', '--project-id', project, '--profile', profile, '--json'],
    );
    if (code !== 0) throw new Error(`keys create failed: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Waits until it has exited by itself. */
  async exited(withinMs = 45_000): Promise<number | null> {
    for (const end = Date.now() + withinMs; this.exitCode === undefined; await sleep(20)) {
      if (Date.now() > end) throw new Error(`still running after ${withinMs} ms: ${this.output}`);
    }
    return this.exitCode;
  }

  /** Ctrl-C. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.exited();
  }
}

export async function runCli(
  env: Record<string, string>,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [LAUNCHER, ...args], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

/** Ends what a test started, whatever state it is in, and removes its home. */
export async function cleanUp(home: string, servers: ServerProcess[]): Promise<void> {
  for (const server of servers) {
    if (server.exitCode === undefined) await server.stop().catch(() => server.child.kill('SIGKILL'));
  }
  await removeEmbeddedDatabase(join(home, 'data'));
  await removeOutside(join(home, 'data'));
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** What a server that was killed leaves elsewhere, for its next start to clear: boxes, and as root its files. */
async function removeOutside(data: string): Promise<void> {
  const name = (await readFile(join(data, 'instance-id'), 'utf8').catch(() => '')).slice(0, 12);
  if (!name) return;
  const boxes = (await readdir(tmpdir())).filter((entry) => entry.startsWith(`claude-api-${name}`));
  const paths = [...boxes.map((entry) => join(tmpdir(), entry)), `/var/lib/claude-api/blobs-${name}`];
  for (const path of paths) await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
