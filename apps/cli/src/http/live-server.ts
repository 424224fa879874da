import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ClientSettings, clientSettings, ConfigError } from '@app/config';
import { PassingFailure, VerbFailure } from '../failures.js';

interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** What a proxy or a server says that is away for a while. */
const PASSING_STATUSES = new Set([429, 502, 503, 504]);
/** The request may have arrived. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE']);

/** For what is done in the name of a key. */
export function keyedServer(url: string | undefined): ClientSettings {
  const server = clientSettings(url);
  if (server.apiKey) return server;
  throw new ConfigError(
    'CLAUDE_API_KEY is not set: "claude-api keys create --project-id my-app" makes a key',
  );
}

/** Not `fetch`: that one gives up after five minutes without an answer, and a run may take an hour. */
export async function call(
  server: ClientSettings,
  { method, path, body, headers, signal }: Call,
): Promise<IncomingMessage> {
  const address = new URL(server.url + path);
  const sent = {
    ...headers,
    ...(server.apiKey ? { authorization: `Bearer ${server.apiKey}` } : {}),
    ...(body ? { 'content-type': 'application/json' } : {}),
  };
  const request = (address.protocol === 'https:' ? httpsRequest : httpRequest)(address, {
    method,
    headers: sent,
    signal,
    // A connection that was kept may be closed by the server just when it is used again.
    agent: false,
  });
  return new Promise((answered, failed) => {
    request.on('response', answered).on('error', (error) => failed(notAnswered(error, server.url)));
    request.end(body && JSON.stringify(body));
  });
}

/** A body; when it is cut, that is said as of a connection that is lost. */
export async function* heard(response: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  try {
    yield* response;
  } catch (error) {
    throw notAnswered(error as Error, url);
  }
}

/** The body as JSON; `undefined` when it is something else. */
export async function jsonOf(response: AsyncIterable<Uint8Array>): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** What a refusal says, with the server's envelope. */
export function refusal(status: number, body: unknown): VerbFailure {
  const { error } = (body ?? {}) as { error?: { code?: string; message?: string } };
  const Failure = PASSING_STATUSES.has(status) ? PassingFailure : VerbFailure;
  if (typeof error?.message !== 'string') {
    return new Failure(`the server answered ${status}, not as this service does: is CLAUDE_API_URL right?`);
  }
  return new Failure(error.message, error.code, body as object);
}

/** Why there is no answer, or no more of it, in words. */
function notAnswered(error: NodeJS.ErrnoException, url: string): Error {
  if (error.name === 'AbortError') return error;
  if (LOST.has(error.code ?? '')) {
    return new PassingFailure(`the connection to ${url} was lost`, 'connection_lost');
  }
  return new PassingFailure(
    `no server answers at ${url} (${error.code ?? error.message}): start it with "npm start" or "claude-api serve"`,
    'no_server',
  );
}
