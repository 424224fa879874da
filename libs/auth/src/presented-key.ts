import type { IncomingMessage } from 'node:http';

/** The key that a request carries. Undefined when there is none, or more than one to choose from. */
export function presentedKey({ rawHeaders }: IncomingMessage): string | undefined {
  const { authorization, 'x-api-key': apiKey } = keyHeaders(rawHeaders);
  if (authorization.length > 1 || apiKey.length > 1) return undefined;
  const bearer = authorization[0] === undefined ? undefined : bearerToken(authorization[0]);
  const presented = [bearer, apiKey[0]].filter((key) => key !== undefined);
  return new Set(presented).size === 1 ? presented[0] : undefined;
}

/** Takes it out of the request, whatever it is, so that nothing behind can log it. */
export function takePresentedKey(request: IncomingMessage): string | undefined {
  const presented = presentedKey(request);
  removeHeaders(request.rawHeaders);
  delete request.headers.authorization;
  delete request.headers['x-api-key'];
  return presented;
}

/** The empty string for another scheme: present, and never a key. */
function bearerToken(header: string): string {
  return /^bearer +([^ ]+)$/i.exec(header)?.[1] ?? '';
}

type KeyHeader = 'authorization' | 'x-api-key';

/** Every value of both, out of the flat name, value, name, value… list. */
function keyHeaders(rawHeaders: string[]): Record<KeyHeader, string[]> {
  const found = { authorization: [] as string[], 'x-api-key': [] as string[] };
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (isKeyHeader(name)) found[name].push(rawHeaders[i + 1]!);
  }
  return found;
}

function removeHeaders(rawHeaders: string[]): void {
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (isKeyHeader(rawHeaders[i]!.toLowerCase())) rawHeaders.splice(i, 2);
  }
}

function isKeyHeader(name: string): name is KeyHeader {
  return name === 'authorization' || name === 'x-api-key';
}
