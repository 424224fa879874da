import type { AddressInfo } from 'node:net';
import { Bootstrap } from '@app/auth';
import { envelope, sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** sandbox-security.md section 6, "Paths, ids, queries": sent as they are, with an administrator's key. */
describe('paths, ids and queries', () => {
  let service: TestService;
  let port: number;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    ({ port } = service.app.getHttpServer().address() as AddressInfo);
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service.stop());

  const ask = (target: string, method = 'GET') =>
    sendRaw(
      port,
      `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${admin}\r\n\r\n`,
    );
  const notFound = { status: 404, body: envelope('not_found') };
  const invalid = { status: 400, body: envelope('invalid_request') };

  it.each([
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e',
    'x'.repeat(10_000),
    '1%20OR%201=1',
    '%7B%7D',
    "'%3b--",
    '%E2%80%AE',
    'key_%2500',
  ])('row 48: the id %.40s is not there', async (id) =>
    expect(await ask(`/v1/admin/keys/${id}`)).toMatchObject(notFound),
  );

  it.each(['%00', 'key_%00x', '%zz', '%', '%c0%af', '%ed%a0%80'])(
    'row 48: the id %s is no text',
    async (id) => {
      expect(await ask(`/v1/admin/keys/${id}`)).toMatchObject(invalid);
    },
  );

  it.each([
    '/V1/admin/keys',
    '/v1/Admin/keys',
    '//v1/admin/keys',
    '/v1//admin/keys',
    '/v1/admin/keys/',
    '/health/',
    '/HEALTH',
    '/v1/admin%2fkeys',
    '/',
    '/favicon.ico',
    '/docs/../v1/admin/keys',
  ])('row 49: %s is no route', async (path) => expect(await ask(path)).toMatchObject(notFound));

  it.each([
    'limit=-1',
    'limit=0',
    'limit=1000000000',
    'limit=1.5',
    'limit=x',
    'limit=',
    'limit=1e400',
    'limit[]=5',
    'limit[x]=5',
    'sort=%3bdrop',
    'project_id[$ne]=x',
    '__proto__[x]=1',
    'constructor=1',
    'toString=1',
  ])('row 50: the query %s', async (query) =>
    expect(await ask(`/v1/admin/keys?${query}`)).toMatchObject(invalid),
  );

  it('row 51: a cursor that was tampered with', async () => {
    for (const cursor of ['x', '%00', 'key_', '../..', Buffer.from('{"id":1}').toString('base64url')]) {
      expect(await ask(`/v1/admin/keys?cursor=${cursor}`)).toMatchObject(invalid);
    }
  });

  it.each(['limit=1&limit=2', 'cursor=a&cursor=b', 'project_id=a&project_id=b'])(
    'row 52: %s where one is expected',
    async (query) => expect(await ask(`/v1/admin/keys?${query}`)).toMatchObject(invalid),
  );

  it('another method on a known path: 405 and the methods that there are', async () => {
    const answer = await ask('/v1/completions', 'DELETE');
    expect(answer).toMatchObject({ status: 405, body: envelope('method_not_allowed') });
    expect(answer.head).toMatch(/^allow: OPTIONS, POST$/im);
    expect(await ask('/v1/nowhere', 'DELETE')).toMatchObject(notFound);
  });

  it('OPTIONS names the methods, and HEAD is GET without the body', async () => {
    const options = await ask('/v1/admin/keys', 'OPTIONS');
    expect(options).toMatchObject({ status: 204, body: '' });
    expect(options.head).toMatch(/^allow: GET, HEAD, OPTIONS, POST$/im);
    expect(await ask('/health', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask('/v1/completions', 'HEAD')).toMatchObject({ status: 405, body: '' });
  });

  it('row 97, 98: answers may load nothing, the docs only themselves, and no other origin is let in', async () => {
    const answer = await fetch(`${service.url}/health`, { headers: { origin: 'null' } });
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-powered-by')).toBeNull();
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    const docs = await fetch(`${service.url}/docs`);
    expect(docs.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(await (await fetch(`${service.url}/openapi.json`)).json()).toHaveProperty('paths./health');
  });
});
