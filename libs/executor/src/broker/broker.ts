import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { CredentialHealth } from '../credential-health.js';
import type { ModelCall } from '../run-meter.js';
import type { BrokerDoor } from '../sandbox/sandbox.js';
import { AnswerReader } from './answer-reader.js';
import { BoundRun } from './bound-run.js';
import { close, doorOf, listen } from './door.js';
import { passAnswer } from './pass-answer.js';
import { Upstream } from './upstream.js';
import { messagesRequest, upstreamBody } from './upstream-body.js';

const LARGEST_REQUEST_BYTES = 32 * 1024 * 1024;
/** Of one run. Each takes a descriptor of the service. */
const MOST_CONNECTIONS = 128;
const LONGEST_ERROR = 4096;
const LONGEST_RETRY_AFTER_S = 86_400;
/** Failures that the CLI would only make worse by trying again or by looking for another login. */
const FINAL_FOR_THE_CLI = new Set([401, 403]);

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
  private readonly logger = new Logger(Broker.name);
  /** Runs that come through loopback. The port is opened for the first of them. */
  private readonly onLoopback = new Map<string, BoundRun>();
  private readonly sockets = new Set<Server>();
  private loopback: Promise<Server> | undefined;

  constructor(
    private readonly upstream: Upstream,
    private readonly credential: CredentialHealth,
  ) {}

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
    try {
      await run.track(this.take(run, request, response));
    } catch (error) {
      if (!run.aborted.signal.aborted)
        this.logger.warn({ msg: 'model call failed', runId: run.runId, err: error });
      if (response.headersSent) response.destroy();
      else refuse(response, 502, 'api_error', 'the model’s API could not be reached');
    }
  }

  /** Holds what comes in only while there is room for it, and counts what comes to nothing. */
  private async take(run: BoundRun, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const held = { bytes: 0 };
    try {
      const text = await readBody(run, request, held).catch(() => null);
      if (text === undefined) return refuse(response, 429, 'rate_limit_error', 'too much at once');
      // A caller that went away while it asked.
      if (text === null) return;
      const isForwarded = await this.forward(run, request, response, text);
      if (!isForwarded) run.waste(held.bytes);
    } finally {
      run.letGo(held.bytes);
    }
  }

  /** False = it was not worth anything: refused here, or by the model's API. */
  private async forward(
    run: BoundRun,
    request: IncomingMessage,
    response: ServerResponse,
    text: string,
  ): Promise<boolean> {
    const parsed = messagesRequest.safeParse(parsedJson(text));
    const verdict = parsed.success
      ? await run.authorise(parsed.data, Buffer.byteLength(text))
      : { message: 'not a messages request' };
    if (!parsed.success || !('call' in verdict)) {
      refuse(response, 400, 'invalid_request_error', (verdict as { message: string }).message);
      return false;
    }
    const body = JSON.stringify(upstreamBody(parsed.data, run.sampling, verdict.call.maxTokens));
    const answer = new AnswerReader(verdict.call.model);
    try {
      const upstream = await this.upstream.send(request.url ?? '', request.headers, body, run.aborted.signal);
      if (!upstream.ok) {
        await this.passError(run, verdict.call, upstream, response);
        return false;
      }
      this.credential.accepted();
      const how = { streamed: parsed.data.stream === true, signal: run.aborted.signal };
      await passAnswer(upstream, response, answer, how);
      run.finish(verdict.call, answer);
      return true;
    } catch (error) {
      if (answer.usage) run.finish(verdict.call, answer);
      else run.fail(verdict.call, { status: null, message: String(error) });
      throw error;
    }
  }

  private async passError(
    run: BoundRun,
    call: ModelCall,
    upstream: Response,
    response: ServerResponse,
  ): Promise<void> {
    const { status } = upstream;
    const retryAfter = Number(upstream.headers.get('retry-after'));
    const retryAfterSeconds = retryAfter > 0 ? Math.min(retryAfter, LONGEST_RETRY_AFTER_S) : undefined;
    // A gateway may quote the request: its credential is not for the CLI, the caller or the log.
    const text = this.upstream.withoutSecret(await beginningOf(upstream)).slice(0, LONGEST_ERROR);
    if (isAboutCredential(status, text)) this.credential.refused();
    run.fail(call, { status, message: text, retryAfterSeconds });
    response.writeHead(FINAL_FOR_THE_CLI.has(status) ? 400 : status, { 'content-type': 'application/json' });
    response.end(text);
  }
}

/** A firewall before the API says 403 to what a request holds: no tenant may make the credential look bad by that. */
function isAboutCredential(status: number, text: string): boolean {
  return (
    status === 401 || (status === 403 && /"type"\s*:\s*"(?:permission|authentication)_error"/.test(text))
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Enough to say what went wrong, however long the rest is. */
async function beginningOf(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LONGEST_ERROR) break;
  }
  return text;
}

/** Undefined = longer than any, or than what the run has room for. What is held is counted in `held`. */
async function readBody(
  run: BoundRun,
  request: IncomingMessage,
  held: { bytes: number },
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (held.bytes + chunk.length > LARGEST_REQUEST_BYTES || !run.hold(chunk.length)) return undefined;
    held.bytes += chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Map look-up of a 256-bit random token: nothing to time. */
function presentedToken(request: IncomingMessage): string {
  const bearer = request.headers.authorization?.replace(/^Bearer /i, '');
  return bearer ?? String(request.headers['x-api-key'] ?? '');
}

function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ type: 'error', error: { type, message } }));
}
