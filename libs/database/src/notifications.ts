import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { connect, disconnect } from './connect.js';
import { Transactions } from './transactions.js';

const RETRY_MS = 250;

/**
 * LISTEN on one connection of its own that comes back by itself. A notification sent while it was away is
 * lost: whoever relies on them also reads the tables in `onReconnect`. Connects with the first `listen`.
 */
@Injectable()
export class Notifications implements OnApplicationShutdown {
  readonly #logger = new Logger(Notifications.name);
  readonly #handlers = new Map<string, ((payload: string) => void)[]>();
  readonly #reconnected: (() => void)[] = [];
  #client?: pg.Client;
  #retry?: NodeJS.Timeout;
  #connecting?: Promise<void>;
  /** A connection takes one statement at a time. */
  #added: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly transactions: Transactions,
  ) {}

  get connected(): boolean {
    return this.#client !== undefined;
  }

  listen(channel: string, onPayload: (payload: string) => void): void {
    const handlers = this.#handlers.get(channel);
    if (handlers) {
      handlers.push(onPayload);
      return;
    }
    this.#handlers.set(channel, [onPayload]);
    const client = this.#client;
    if (client) this.#added = this.#added.then(() => this.#subscribe(client, channel)).catch(() => undefined);
    else this.#connect();
  }

  /** Delivered when the current transaction commits, never when it rolls back. At most 8,000 bytes. */
  async notify(channel: string, payload: string): Promise<void> {
    await this.transactions.manager.query('SELECT pg_notify($1, $2)', [channel, payload]);
  }

  /** Called each time the connection listens (again), the first time too. */
  onReconnect(f: () => void): void {
    this.#reconnected.push(f);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#connecting;
    if (this.#client) await disconnect(this.#client);
  }

  #connect(): void {
    this.#connecting ??= this.#open()
      .catch(() => this.#connectLater())
      .finally(() => (this.#connecting = undefined));
  }

  async #open(): Promise<void> {
    const client = await connect(this.url, 'claude-api listener');
    client.on('notification', ({ channel, payload }) => this.#deliver(channel, payload ?? ''));
    client.once('end', () => {
      this.#client = undefined;
      this.#connectLater();
    });
    // Not a copy of the channels: one that is added while we subscribe comes last.
    for (const channel of this.#handlers.keys()) await this.#subscribe(client, channel);
    this.#client = client;
    for (const f of this.#reconnected) this.#guarded(f);
  }

  #connectLater(): void {
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), RETRY_MS).unref();
  }

  async #subscribe(client: pg.Client, channel: string): Promise<void> {
    await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
  }

  #deliver(channel: string, payload: string): void {
    for (const handler of this.#handlers.get(channel) ?? []) this.#guarded(() => handler(payload));
  }

  #guarded(f: () => void): void {
    try {
      f();
    } catch (error) {
      this.#logger.error(error);
    }
  }
}
