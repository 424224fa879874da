import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '@app/config';
import { connect } from '../connect.js';
import { type Binaries, findBinaries } from './binaries.js';
import { type ClusterFolder, SHARED_FOLDER } from './cluster-folder.js';
import { dropStalePidFile, lastPort, livePostmaster } from './postmaster.js';
import { runProgram } from './run-program.js';

const START_TRIES = 12;
const TRY_PAUSE_MS = 400;
const ANSWER_TRIES = 40;
const ANSWER_PAUSE_MS = 250;

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
    let started = false;
    for (let tries = 0; !this.alive; tries++) {
      const failure = await this.#start();
      started = !failure;
      // The children of a killed server need a moment before a new one may use their memory.
      if (failure && tries === START_TRIES) {
        throw new ConfigError(`the embedded Postgres does not start: ${failure}; its log is ${this.#log}`);
      }
      if (failure) await sleep(TRY_PAUSE_MS);
    }
    return { url: await this.#answeringUrl(), started };
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
    this.#prepareLog();
    const args = ['start', '-w', '-t', '60', '-l', this.#log, '-o', `-p ${port}`];
    const { code, output } = await this.#program(binaries.folder, 'pg_ctl', args);
    return code === 0 ? undefined : (this.#lastFatal() ?? lastLine(output));
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

  /** The URL, once the server answers on it: one that recovers after a crash needs a while. */
  async #answeringUrl(): Promise<string> {
    let reason: unknown;
    for (let tries = 0; tries < ANSWER_TRIES; tries++) {
      const port = livePostmaster(this.#data)?.port;
      const url = `postgres://postgres:${this.#password()}@127.0.0.1:${port}/postgres`;
      try {
        const client = await connect(url);
        await client.end();
        return url;
      } catch (error) {
        reason = error;
        await sleep(ANSWER_PAUSE_MS);
      }
    }
    throw new ConfigError(`the embedded Postgres runs but does not answer; its log is ${this.#log}`, {
      cause: reason,
    });
  }

  #binaries(): Promise<Binaries> {
    const version = join(this.#data, 'PG_VERSION');
    const major = existsSync(version) ? readFileSync(version, 'utf8').trim() : undefined;
    return findBinaries(this.place.account, SHARED_FOLDER, major);
  }

  #program(binaries: string, name: string, args: string[]) {
    return runProgram(join(binaries, name), [...args, '-D', this.#data], this.place);
  }

  #prepareLog(): void {
    if (existsSync(this.#log)) renameSync(this.#log, `${this.#log}.previous`);
    writeFileSync(this.#log, '', { mode: 0o600 });
    this.#giveAway(this.#log);
  }

  #giveAway(path: string): void {
    if (this.place.account) chownSync(path, this.place.account.uid, this.place.account.gid);
  }

  #lastFatal(): string | undefined {
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    const line = lines.findLast((text) => /\b(FATAL|PANIC):/.test(text));
    return line?.replace(/^.*?\b(FATAL|PANIC):\s*/, '');
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
