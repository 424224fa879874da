import type { IncomingMessage } from 'node:http';

/** The key that a request carries. Undefined when there is none, or more than one to choose from. */
export function presentedKey({ rawHeaders }: IncomingMessage): string | undefined {
  const [authorization, apiKey] = [valuesOf(rawHeaders, 'authorization'), valuesOf(rawHeaders, 'x-api-key')];
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

/** `headers` is the flat name, value, name, value… list. */
function valuesOf(headers: string[], name: string): string[] {
  return headers.filter((_, index) => index % 2 === 1 && headers[index - 1]!.toLowerCase() === name);
}

/** Every value of both. */
function removeHeaders(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]!.toLowerCase();
    if (name === 'authorization' || name === 'x-api-key') headers.splice(i, 2);
  }
}
