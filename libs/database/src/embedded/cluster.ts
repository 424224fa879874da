import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '@app/config';
import { connect, disconnect } from '../connect.js';
import { type Binaries, findBinaries } from './binaries.js';
import { type ClusterFolder, SHARED_FOLDER } from './cluster-folder.js';
import { dropStalePidFile, lastPort, livePostmaster } from './postmaster.js';
import { runProgram } from './run-program.js';

const GIVE_UP_MS = 10_000;
const RETRY_MS = 200;
const LOG_BYTES = 1_000_000;

/** Loopback TCP only (socket paths are too short for deep homes); a terse log repeats no row's values. */
const SERVER_SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
log_error_verbosity = terse
log_checkpoints = off
`;

/**
 * One PostgreSQL data folder and the server on it. Never two servers on one folder, never a half made folder:
 * `initdb` works beside it and the result is renamed. The caller holds the lock file.
 */
export class Cluster {
  readonly #data: string;
  readonly #log: string;
  readonly #passwordFile: string;

  constructor(private readonly place: ClusterFolder) {
    this.#data = join(place.folder, 'data');
    this.#log = join(place.folder, 'postgres.log');
    this.#passwordFile = join(place.folder, 'password');
  }

  get alive(): boolean {
    return livePostmaster(this.#data) !== undefined;
  }

  /** Attaches to the live server, else starts one. Keeps the last port where it can: others know it. */
  async run(): Promise<{ url: string; started: boolean }> {
    const deadline = AbortSignal.timeout(GIVE_UP_MS);
    let started = false;
    for (;;) {
      const server = livePostmaster(this.#data);
      const url = `postgres://postgres:${this.#password()}@127.0.0.1:${server?.port}/postgres`;
      const problem = server ? await refusal(url) : await this.#start();
      if (server && !problem) return { url, started };
      started ||= !problem;
      // One that recovers from a crash refuses for a while; the children of a killed one linger on its memory.
      if (problem && deadline.aborted) {
        throw new ConfigError(`the embedded Postgres cannot be used: ${problem}; its log is ${this.#log}`);
      }
      if (problem) await sleep(RETRY_MS);
    }
  }

  async stop(): Promise<void> {
    if (!this.alive) return;
    const { folder } = await this.#binaries();
    const { code, output } = await this.#program(folder, 'pg_ctl', ['stop', '-w', '-t', '20', '-m', 'fast']);
    if (code !== 0) throw new Error(`pg_ctl stop: ${output}`);
  }

  async #start(): Promise<string | undefined> {
    const binaries = await this.#binaries();
    if (!existsSync(this.#data)) await this.#initialise(binaries);
    const previous = lastPort(this.#data);
    const port = previous && (await isFree(previous)) ? previous : await freePort();
    dropStalePidFile(this.#data);
    const logged = this.#prepareLog();
    const args = ['start', '-w', '-t', '60', '-l', this.#log, '-o', `-p ${port}`];
    const { code, output } = await this.#program(binaries.folder, 'pg_ctl', args);
    return code === 0 ? undefined : (this.#lastFatal(logged) ?? lastLine(output));
  }

  async #initialise(binaries: Binaries): Promise<void> {
    const unfinished = `${this.#data}.new`;
    const passwordCopy = join(unfinished, '..', 'password.new');
    const password = this.#password();
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { mode: 0o700 });
    this.#giveAway(unfinished);
    writeFileSync(passwordCopy, password, { mode: 0o600 });
    this.#giveAway(passwordCopy);
    const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
    const { code, output } = await runProgram(
      join(binaries.folder, 'initdb'),
      ['-D', unfinished, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordCopy}`].concat([
        '--encoding=UTF8',
        `--locale=${locale}`,
      ]),
      this.place,
    );
    rmSync(passwordCopy, { force: true });
    if (code !== 0) throw new ConfigError(`the embedded Postgres cannot be set up: ${errorLine(output)}`);
    appendFileSync(join(unfinished, 'postgresql.conf'), SERVER_SETTINGS);
    renameSync(unfinished, this.#data);
  }

  #password(): string {
    if (!existsSync(this.#passwordFile)) {
      writeFileSync(this.#passwordFile, randomBytes(32).toString('hex'), { mode: 0o600 });
    }
    return readFileSync(this.#passwordFile, 'utf8');
  }

  #binaries(): Promise<Binaries> {
    const version = join(this.#data, 'PG_VERSION');
    const major = existsSync(version) ? readFileSync(version, 'utf8').trim() : undefined;
    return findBinaries(this.place.account, SHARED_FOLDER, major);
  }

  #program(binaries: string, name: string, args: string[]) {
    return runProgram(join(binaries, name), [...args, '-D', this.#data], this.place);
  }

  /** The server appends to the log; its length so far tells what the next start will say. */
  #prepareLog(): number {
    const length = existsSync(this.#log) ? statSync(this.#log).size : 0;
    if (length > 0 && length < LOG_BYTES) return length;
    if (length > 0) renameSync(this.#log, `${this.#log}.previous`);
    writeFileSync(this.#log, '', { mode: 0o600 });
    this.#giveAway(this.#log);
    return 0;
  }

  #giveAway(path: string): void {
    if (this.place.account) chownSync(path, this.place.account.uid, this.place.account.gid);
  }

  #lastFatal(logged: number): string | undefined {
    const lines = readFileSync(this.#log).subarray(logged).toString().split('\n');
    const line = lines.findLast((text) => /\b(FATAL|PANIC):/.test(text));
    return line?.replace(/^.*?\b(FATAL|PANIC):\s*/, '');
  }
}

/** Why the live server cannot be used now; undefined when it can. */
async function refusal(url: string): Promise<string | undefined> {
  try {
    await disconnect(await connect(url));
    return undefined;
  } catch (error) {
    return `it runs but does not let us in (${(error as Error).message})`;
  }
}

function errorLine(output: string): string {
  return /^initdb: error: (.*)$/m.exec(output)?.[1] ?? lastLine(output);
}

function lastLine(output: string): string {
  return output.split('\n').at(-1) ?? '';
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
