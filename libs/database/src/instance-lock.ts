import type pg from 'pg';
import { connect, disconnect } from './connect.js';

const RETRY_MS = 500;

/**
 * The right to be the one server of an installation, held as a session lock of Postgres: it ends with the
 * process however that ends, so there is never a stale one. After a restart of the database it is taken
 * again as soon as the database answers.
 */
export class InstanceLock {
  #client?: pg.Client;
  #released = false;
  #retry?: NodeJS.Timeout;

  private constructor(
    private readonly url: string,
    private readonly instanceId: string,
  ) {}

  /** Null when another process has it. */
  static async take(url: string, instanceId: string): Promise<InstanceLock | null> {
    const lock = new InstanceLock(url, instanceId);
    return (await lock.#tryToTake()) ? lock : null;
  }

  async release(): Promise<void> {
    this.#released = true;
    clearTimeout(this.#retry);
    if (this.#client) await disconnect(this.#client);
  }

  async #tryToTake(): Promise<boolean> {
    const client = await connect(this.url, 'claude-api instance lock');
    const { rows } = await client.query<{ taken: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken',
      [`claude-api instance ${this.instanceId}`],
    );
    if (!rows[0]?.taken || this.#released) {
      await disconnect(client);
      return false;
    }
    this.#client = client;
    client.once('end', () => this.#takeAgain());
    return true;
  }

  #takeAgain(): void {
    this.#client = undefined;
    if (this.#released) return;
    this.#retry = setTimeout(() => {
      this.#tryToTake().then(
        (taken) => taken || this.#takeAgain(),
        () => this.#takeAgain(),
      );
    }, RETRY_MS).unref();
  }
}
