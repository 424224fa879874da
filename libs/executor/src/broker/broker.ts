import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { BrokerDoor } from '../sandbox/sandbox.js';
import { BoundRun } from './bound-run.js';
import { close, doorOf, listen } from './door.js';
import { ModelCalls } from './model-calls.js';
import { refuse } from './refuse.js';

/** Of one run. Each takes a descriptor of the service. */
const MOST_CONNECTIONS = 128;

interface Binding {
  token: string;
  door: BrokerDoor;
  release: () => Promise<void>;
}

/**
 * The credential-injecting proxy between the CLI and the model's API. Guarantees: a token is good for one run,
 * only while that run is bound, and only at the door that the run has: a socket of its own, or loopback. Only
 * model calls pass; each is authorised before and metered after; the real credential is never seen on the
 * CLI's side.
 */
@Injectable()
export class Broker implements OnApplicationShutdown {
  /** Runs that come through loopback. The port is opened for the first of them. */
  private readonly onLoopback = new Map<string, BoundRun>();
  private readonly sockets = new Set<Server>();
  private loopback: Promise<Server> | undefined;

  constructor(private readonly calls: ModelCalls) {}

  async onApplicationShutdown(): Promise<void> {
    for (const server of [...this.sockets, ...(this.loopback ? [await this.loopback] : [])]) close(server);
  }

  /**
   * Makes a token for a run and opens its door: the socket at this path, which no other run's token passes, or
   * loopback. Good until `release`, which also waits until every call of the run is metered.
   */
  async bind(run: BoundRun, socketPath?: string): Promise<Binding> {
    const token = `run-${randomBytes(32).toString('base64url')}`;
    return socketPath ? this.bindToSocket(run, token, socketPath) : this.bindToLoopback(run, token);
  }

  private async bindToSocket(run: BoundRun, token: string, socketPath: string): Promise<Binding> {
    const only = new Map([[token, run]]);
    const server = await listen(this.serverFor(only), socketPath);
    server.maxConnections = MOST_CONNECTIONS;
    this.sockets.add(server);
    const release = async () => {
      only.delete(token);
      await run.abort();
      this.sockets.delete(server);
      close(server);
    };
    return { token, door: { socketPath }, release };
  }

  private async bindToLoopback(run: BoundRun, token: string): Promise<Binding> {
    this.loopback ??= listen(this.serverFor(this.onLoopback));
    const door = doorOf(await this.loopback);
    this.onLoopback.set(token, run);
    const release = async () => {
      this.onLoopback.delete(token);
      await run.abort();
    };
    return { token, door, release };
  }

  private serverFor(runs: Map<string, BoundRun>): Server {
    return createServer((request, response) => {
      void this.handle(runs.get(presentedToken(request)), request, response);
    });
  }

  private async handle(
    run: BoundRun | undefined,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const path = (request.url ?? '').split('?')[0];
    if (!run) return refuse(response, 401, 'authentication_error', 'unknown run');
    if (request.method !== 'POST' || path !== '/v1/messages') {
      return refuse(response, 404, 'not_found_error', 'not a model call');
    }
    if (run.isBarred) return void request.destroy();
    await run.track(this.calls.bring(run, request, response));
  }
}

/** Map look-up of a 256-bit random token: nothing to time. */
function presentedToken(request: IncomingMessage): string {
  const bearer = request.headers.authorization?.replace(/^Bearer /i, '');
  return bearer ?? String(request.headers['x-api-key'] ?? '');
}
