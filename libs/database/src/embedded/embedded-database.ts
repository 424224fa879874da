import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type pg from 'pg';
import { connect, disconnect } from '../connect.js';
import type { DatabaseHandle } from '../database-handle.js';
import { Cluster } from './cluster.js';
import { ensureClusterFolder } from './cluster-folder.js';
import { withLock } from './lock-file.js';

const CHECK_MS = 1_000;
const CLOSING_TRIES = 10;
const CLOSING_PAUSE_MS = 50;
const OTHER_CLIENTS = `SELECT 1 FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;

/**
 * This process's share of the home's cluster. While it is held, one idle connection says so: the last process
 * to release a cluster that it started or supervises stops it, and nobody loses a server that is in use.
 */
export class EmbeddedDatabase implements DatabaseHandle {
  readonly mode = 'embedded';
  readonly #logger = new Logger('Postgres');
  readonly #stopped = new AbortController();
  #presence?: pg.Client;
  #supervision?: Promise<void>;

  private constructor(
    private readonly lockPath: string,
    private readonly cluster: Cluster,
    readonly url: string,
    readonly startedHere: boolean,
  ) {}

  static async open(home: string): Promise<EmbeddedDatabase> {
    const place = ensureClusterFolder(home);
    const cluster = new Cluster(place);
    const lockPath = join(place.folder, 'lock');
    return withLock(lockPath, async () => {
      const { url, started } = await cluster.run();
      const database = new EmbeddedDatabase(lockPath, cluster, url, started);
      await database.#announce();
      return database;
    });
  }

  supervise(): void {
    this.#supervision ??= this.#watch();
  }

  async release(): Promise<void> {
    this.#stopped.abort();
    await this.#supervision;
    const responsible = this.startedHere || this.#supervision !== undefined;
    if (!responsible) return this.#leave();
    await withLock(this.lockPath, async () => {
      await this.#leave();
      if (!(await this.#inUse())) await this.cluster.stop();
    });
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (!this.cluster.alive || !this.#presence) await this.#revive();
      } catch (error) {
        this.#logger.error(`cannot restart the embedded Postgres: ${(error as Error).message}`);
      }
      await sleep(CHECK_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }

  async #revive(): Promise<void> {
    await withLock(this.lockPath, async () => {
      const { url, started } = await this.cluster.run();
      if (url !== this.url) throw new Error('its port was taken meanwhile: restart this process');
      await this.#announce();
      if (started) this.#logger.warn('the embedded Postgres had died: restarted it');
    });
  }

  async #announce(): Promise<void> {
    const presence = await connect(this.url, 'claude-api presence');
    this.#presence = presence.once('end', () => (this.#presence = undefined));
  }

  async #leave(): Promise<void> {
    if (this.#presence) await disconnect(this.#presence);
  }

  async #inUse(): Promise<boolean> {
    const observer = await connect(this.url).catch(() => undefined);
    if (!observer) return false; // nothing answers: nobody can be using it
    try {
      // Connections that this process has just closed need a moment to leave the server's list.
      for (let tries = 0; tries < CLOSING_TRIES; tries++) {
        const { rowCount } = await observer.query(OTHER_CLIENTS);
        if (rowCount === 0) return false;
        await sleep(CLOSING_PAUSE_MS);
      }
      return true;
    } finally {
      await disconnect(observer);
    }
  }
}
