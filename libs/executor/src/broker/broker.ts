import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { BrokerDoor } from '../sandbox/sandbox.js';
import type { BoundRun } from './bound-run.js';
import { close, doorOf, listen } from './door.js';
import { ModelCalls } from './model-calls.js';
import { refuse } from './refuse.js';
import type { Pass } from './pass.js';

/** Of one process. Each takes a descriptor of the service. */
const MOST_CONNECTIONS = 128;

/** A door with the one token that opens it, and what takes both away. */
interface Binding {
  token: string;
  door: BrokerDoor;
  release: () => Promise<void>;
}

/**
 * The credential-injecting proxy between the CLI and the model's API. Guarantees: a token is good for one process
 * of the CLI, only while that process serves a run, and only at the door that it has: a socket of its own, or
 * loopback. Only model calls pass; each is authorised before and metered after; the real credential is never seen
 * on the CLI's side.
 */
@Injectable()
export class Broker implements OnApplicationShutdown {
  /** Processes that come through loopback. The port is opened for the first of them. */
  private readonly onLoopback = new Map<string, Pass>();
  private readonly sockets = new Set<Server>();
  private loopback: Promise<Server> | undefined;

  constructor(private readonly calls: ModelCalls) {}

  async onApplicationShutdown(): Promise<void> {
    for (const server of [...this.sockets, ...(this.loopback ? [await this.loopback] : [])]) close(server);
  }

  /**
   * Opens a door for a process: the socket at this path, which no other token passes, or loopback. Nothing
   * passes before `pass` serves a run. Good until `release`, which also waits until every call is metered.
   */
  async open(pass: Pass, socketPath?: string): Promise<Binding> {
    const token = `run-${randomBytes(32).toString('base64url')}`;
    return socketPath ? this.openSocket(pass, token, socketPath) : this.openLoopback(pass, token);
  }

  private async openSocket(pass: Pass, token: string, socketPath: string): Promise<Binding> {
    const only = new Map([[token, pass]]);
    const server = await listen(this.serverFor(only), socketPath);
    server.maxConnections = MOST_CONNECTIONS;
    this.sockets.add(server);
    const release = async () => {
      only.delete(token);
      await pass.leave();
      this.sockets.delete(server);
      close(server);
    };
    return { token, door: { socketPath }, release };
  }

  private async openLoopback(pass: Pass, token: string): Promise<Binding> {
    this.loopback ??= listen(this.serverFor(this.onLoopback));
    const door = doorOf(await this.loopback);
    this.onLoopback.set(token, pass);
    const release = async () => {
      this.onLoopback.delete(token);
      await pass.leave();
    };
    return { token, door, release };
  }

  private serverFor(passes: Map<string, Pass>): Server {
    return createServer((request, response) => {
      void this.handle(passes.get(presentedToken(request))?.present(), request, response);
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
