import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Bootstrap } from '@app/auth';
import { createApp } from '../../apps/api/src/create-app.js';
import { envelope, sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** sandbox-security.md section 6, "Auth, keys, JWT-like", with what the log says about it. */
describe('keys', () => {
  let service: TestService;
  let app: NestExpressApplication;
  let port: number;
  let key: string;
  let admin: string;
  let log: string[] = [];
  const earlier: string[] = [];

  beforeAll(async () => {
    service = await startTestService();
    // A second instance on the same database, with its log in our hands.
    const logSink = { write: (line: string) => void log.push(line) };
    app = await createApp({ ...service.config, logLevel: 'trace' }, service.databaseUrl, { logSink });
    await app.listen(0, '127.0.0.1');
    ({ port } = app.getHttpServer().address() as AddressInfo);
    ({ key } = await service.key());
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  beforeEach(() => {
    earlier.push(...log);
    log = [];
  });
  afterAll(async () => {
    await app?.close();
    await service.stop();
  });

  const ask = (headers: string, target = '/v1/admin/keys') =>
    sendRaw(port, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`);
  const unauthorized = { status: 401, body: envelope('invalid_api_key') };
  const other = (part: string) => (part[0] === 'a' ? 'b' : 'a') + part.slice(1);

  it('row 36: no key, an empty one, a bare or another scheme: one and the same 401', async () => {
    const answers = [];
    for (const header of [
      '',
      'Authorization: \r\n',
      'Authorization: Bearer\r\n',
      'Authorization: Bearer  x\r\n',
      `Authorization: Basic ${admin}\r\n`,
      `Authorization: ${admin}\r\n`,
      'x-api-key: \r\n',
    ]) {
      const answer = await ask(header);
      expect(answer).toMatchObject(unauthorized);
      expect(answer.head).toMatch(/^www-authenticate: Bearer$/im);
      answers.push(JSON.stringify(answer.body.error));
    }
    expect(new Set(answers).size).toBe(1);
    expect(await ask(`authorization: bearer ${admin}\r\n`)).toMatchObject({ status: 200 });
  });

  it.each(['authorization: Bearer', 'x-api-key:'])('row 37: two of %s', async (header) => {
    const answer = await ask(`${header} ${admin}\r\n${header} ${admin}\r\n`);
    expect(answer).toMatchObject({ status: 400, body: envelope('invalid_request') });
  });

  it('row 38: a key with something after it, or of 15 KB: 401 quickly; with a NUL or 1 MB: refused by the framing', async () => {
    for (const wrong of [`${admin}%0A`, `${admin}\u00a0`, `${admin}\t.`, 'x'.repeat(15_000)]) {
      const answer = await ask(`x-api-key: ${wrong}\r\n`);
      expect(answer).toMatchObject(unauthorized);
      expect(answer.ms).toBeLessThan(500);
    }
    expect(await ask(`x-api-key: ${admin}\0\r\n`)).toMatchObject({
      status: 400,
      body: envelope('invalid_request'),
    });
    expect(await ask(`x-api-key: ${'x'.repeat(1_000_000)}\r\n`)).toMatchObject({ status: 431 });
  });

  it('row 39: a known id with a wrong secret, an unknown id: the same 401', async () => {
    const [prefix, kind, kid = '', secret = ''] = key.split('_');
    const wrongSecret = await ask(`x-api-key: ${[prefix, kind, kid, other(secret)].join('_')}\r\n`);
    const wrongId = await ask(`x-api-key: ${[prefix, kind, other(kid), secret].join('_')}\r\n`);
    expect(wrongSecret).toMatchObject(unauthorized);
    expect(wrongSecret.body.error).toEqual(wrongId.body.error);
  });

  it('row 40: revoked: 401', async () => {
    const { id, key: revoked } = await service.key();
    await service.post(`/v1/admin/keys/${id}/revoke`, {}, admin);
    expect(await ask(`x-api-key: ${revoked}\r\n`)).toMatchObject(unauthorized);
  });

  it('row 41: a key in the query: 401, and not in the log', async () => {
    expect(await ask('', `/v1/admin/keys?api_key=${admin}`)).toMatchObject(unauthorized);
    expect(await ask('', `/${admin}?key=${admin}`)).toMatchObject({ status: 404 });
    expect(log.join('')).toContain('"route":"/v1/admin/keys"');
    expect(log.join('')).not.toContain('api_key=');
  });

  it('row 42: JSON web tokens of any kind are no keys', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = part({ sub: 'operator', scope: 'keys:read', exp: 4_102_444_800 });
    const signed = `${part({ alg: 'HS256', kid: '../../dev/null' })}.${claims}`;
    const tokens = [
      `${part({ alg: 'none' })}.${claims}.`,
      `${signed}.${createHmac('sha256', '').update(signed).digest('base64url')}`,
    ];
    for (const token of tokens)
      expect(await ask(`authorization: Bearer ${token}\r\n`)).toMatchObject(unauthorized);
  });

  it('row 45: an ordinary key on an administration route: 403, and nothing of the body is read', async () => {
    expect(await ask(`x-api-key: ${key}\r\n`)).toMatchObject({
      status: 403,
      body: envelope('permission_denied'),
    });
    const request = `POST /v1/admin/keys HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n`;
    expect(await sendRaw(port, request)).toMatchObject({ status: 403 });
  });

  it.each(['x'.repeat(10_000), 'x'.repeat(256), 'caf\u00e9', 'a\tb'])(
    'row 46: an Idempotency-Key that is too long or not printable: 400',
    async (value) => {
      const body = '{"prompt":"x"}';
      const answer = await sendRaw(
        port,
        `POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\nconnection: close\r\nidempotency-key: ${value}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      expect(answer).toMatchObject({ status: 400, body: envelope('invalid_request') });
      expect(service.model.journal).toEqual([]);
    },
  );

  it('row 13: X-Forwarded-For is neither believed nor logged', async () => {
    expect(
      await ask('x-forwarded-for: 203.0.113.9\r\nforwarded: for=203.0.113.9\r\n', '/health'),
    ).toMatchObject({ status: 200 });
    expect(log.join('')).not.toContain('203.0.113.9');
  });

  it('row 99: a log line cannot be forged from a header or an address', async () => {
    const forged = '\\r\\n{"level":"info","msg":"forged"}';
    await ask(`user-agent: ${forged}\r\nx-api-key: ${forged}\r\n`, '/v1/admin/keys?%0d%0a{"msg":"forged"}');
    expect(log.length).toBeGreaterThan(0);
    expect(log.join('')).not.toContain('forged');
  });

  it('the line of a request names it, the caller and the route, and no address or query', async () => {
    const answer = await ask(`x-api-key: ${admin}\r\n`, '/v1/admin/keys?limit=5');
    const line = JSON.parse(log.find((entry) => entry.includes('"msg":"request"'))!);
    expect(line).toMatchObject({
      request_id: /x-request-id: (\S+)/i.exec(answer.head)?.[1],
      method: 'GET',
      route: '/v1/admin/keys',
      status: 200,
      ms: expect.any(Number),
      project: 'operator',
      key: expect.stringMatching(/^key_/),
    });
    expect(log.join('')).not.toContain('limit=5');
  });

  it('after all of that, the log is whole lines of JSON without any key', () => {
    expect(earlier.length).toBeGreaterThan(20);
    for (const line of earlier) {
      expect(line.match(/\n/g)).toHaveLength(1);
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), time: expect.any(Number) });
    }
    for (const secret of [key, admin]) expect(earlier.join('')).not.toContain(secret.slice(20));
  });
});
