import type { IncomingMessage } from 'node:http';

/**
 * Takes the key out of the request, so that nothing behind can log it. Undefined when there is none, or more
 * than one to choose from.
 */
export function takePresentedKey(request: IncomingMessage): string | undefined {
  const { authorization, 'x-api-key': apiKey } = removeHeaders(request.rawHeaders);
  delete request.headers.authorization;
  delete request.headers['x-api-key'];
  if (authorization.length > 1 || apiKey.length > 1) return undefined;
  const bearer = authorization[0] === undefined ? undefined : bearerToken(authorization[0]);
  const presented = [bearer, apiKey[0]].filter((key) => key !== undefined);
  return new Set(presented).size === 1 ? presented[0] : undefined;
}

/** The empty string for another scheme: present, and never a key. */
function bearerToken(header: string): string {
  return /^bearer +([^ ]+)$/i.exec(header)?.[1] ?? '';
}

/** Cuts both headers out of the flat name, value, name, value… list; every value of each. */
function removeHeaders(rawHeaders: string[]): { authorization: string[]; 'x-api-key': string[] } {
  const removed = { authorization: [] as string[], 'x-api-key': [] as string[] };
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (name !== 'authorization' && name !== 'x-api-key') continue;
    removed[name].push(rawHeaders[i + 1]!);
    rawHeaders.splice(i, 2);
  }
  return removed;
}
