import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ClientSettings } from '@app/config';
import { VerbFailure } from '../failures.js';

interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: object;
  signal?: AbortSignal;
}

/** Not `fetch`: that one gives up after five minutes without an answer, and a run may take an hour. */
export async function call(
  server: ClientSettings,
  { method, path, body, signal }: Call,
): Promise<IncomingMessage> {
  const address = new URL(server.url + path);
  const headers = {
    ...(server.apiKey ? { authorization: `Bearer ${server.apiKey}` } : {}),
    ...(body ? { 'content-type': 'application/json' } : {}),
  };
  const request = (address.protocol === 'https:' ? httpsRequest : httpRequest)(address, {
    method,
    headers,
    signal,
  });
  return new Promise((answered, failed) => {
    request.on('response', answered).on('error', (error) => failed(unreachable(error, server.url)));
    request.end(body && JSON.stringify(body));
  });
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
  if (typeof error?.message !== 'string') {
    return new VerbFailure(
      `the server answered ${status}, not as this service does: is CLAUDE_API_URL right?`,
    );
  }
  return new VerbFailure(error.message, error.code, body as object);
}

function unreachable(error: NodeJS.ErrnoException, url: string): Error {
  if (error.name === 'AbortError') return error;
  return new VerbFailure(
    `no server answers at ${url} (${error.code ?? error.message}): start it with "npm start" or "claude-api serve"`,
    'no_server',
  );
}
