import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { takePresentedKey } from './presented-key.js';

/** A request as Node hands it over: it works `headers` out of `rawHeaders`. */
function requestWith(headers: [string, string][]): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.rawHeaders = headers.flat();
  for (const [name, value] of headers) request.headers[name.toLowerCase()] ??= value;
  return request;
}

const CASES: [string, [string, string][], string | undefined][] = [
  ['a bearer token', [['Authorization', 'Bearer k1']], 'k1'],
  ['the scheme in any case', [['authorization', 'bEARER k1']], 'k1'],
  ['several spaces', [['authorization', 'Bearer  k1']], 'k1'],
  ['x-api-key', [['X-Api-Key', 'k1']], 'k1'],
  [
    'the same key twice over',
    [
      ['authorization', 'Bearer k1'],
      ['x-api-key', 'k1'],
    ],
    'k1',
  ],
  [
    'two different keys',
    [
      ['authorization', 'Bearer k1'],
      ['x-api-key', 'k2'],
    ],
    undefined,
  ],
  [
    'a repeated authorization',
    [
      ['authorization', 'Bearer k1'],
      ['Authorization', 'Bearer k1'],
    ],
    undefined,
  ],
  [
    'a repeated x-api-key',
    [
      ['x-api-key', 'k1'],
      ['x-api-key', 'k1'],
    ],
    undefined,
  ],
  ['another scheme', [['authorization', 'Basic k1']], ''],
  [
    'another scheme beside a key',
    [
      ['authorization', 'Basic k1'],
      ['x-api-key', 'k1'],
    ],
    undefined,
  ],
  ['a scheme alone', [['authorization', 'Bearer']], ''],
  ['a token and more', [['authorization', 'Bearer k1 k2']], ''],
  ['no header', [['accept', '*/*']], undefined],
];

describe('the key of a request', () => {
  it.each(CASES)('is read from %s', (_, headers, expected) => {
    expect(takePresentedKey(requestWith(headers))).toBe(expected);
  });

  it('is gone from the request afterwards, and nothing else is', () => {
    const request = requestWith([
      ['accept', '*/*'],
      ['authorization', 'Bearer k1'],
      ['x-api-key', 'k1'],
      ['host', 'here'],
    ]);
    takePresentedKey(request);
    expect(request.rawHeaders).toEqual(['accept', '*/*', 'host', 'here']);
    expect(request.headers).toEqual({ accept: '*/*', host: 'here' });
    expect(JSON.stringify(request.headersDistinct)).not.toContain('k1');
  });
});
