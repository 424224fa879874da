import { request as httpRequest } from 'node:http';
import { Bootstrap } from '@app/auth';
import { startTestService, type TestService } from '../support/test-service.js';

describe('/v1/admin/keys', () => {
  let service: TestService;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service?.stop());

  /** The raw list of headers, as no HTTP library would send it. */
  function send(
    method: string,
    path: string,
    headers: string[],
    body?: unknown,
  ): Promise<{ status: number; body: any }> {
    return new Promise((resolve, reject) => {
      const all = [
        'host',
        'localhost',
        'content-type',
        'application/json',
        'connection',
        'close',
        ...headers,
      ];
      const sent = httpRequest(service.url + path, { method, headers: all }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode!, body: text ? JSON.parse(text) : null }),
        );
      });
      sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
  const as = (key: string) => ['authorization', `Bearer ${key}`];
  const create = (body: unknown, key = admin) => send('POST', '/v1/admin/keys', as(key), body);

  it('201 makes a key, shows its secret once, and the key works', async () => {
    const made = await create({
      project_id: 'shop',
      name: 'production',
      tier: 'pro',
      allow_agents: ['reviewer'],
    });
    expect(made.status).toBe(201);
    const { key, ...shown } = made.body;
    expect(shown).toMatchObject({
      project_id: 'shop',
      name: 'production',
      tier: 'pro',
      kind: 'inference',
      status: 'active',
      allow_agents: ['reviewer'],
      models: null,
      expires_at: null,
      display: `cc_sk_${shown.kid}_…${key.slice(-4)}`,
    });
    const again = await send('GET', `/v1/admin/keys/${shown.kid}`, as(admin));
    expect(again).toEqual({ status: 200, body: shown });
    expect((await send('GET', '/v1/admin/keys', as(key))).status).toBe(403);
  });

  it('200 lists, changes, rotates and revokes', async () => {
    const { id, key } = (await create({ project_id: 'cycle' })).body;
    const changed = await send('PATCH', `/v1/admin/keys/${id}`, as(admin), {
      tier: 'enterprise',
      expires_at: '2100-01-01T00:00:00Z',
    });
    expect(changed.body).toMatchObject({ tier: 'enterprise', expires_at: '2100-01-01T00:00:00.000Z' });
    const rotated = await send('POST', `/v1/admin/keys/${id}/rotate`, as(admin), { overlap_seconds: 60 });
    expect(rotated).toMatchObject({ status: 200, body: { id } });
    expect(rotated.body.key).not.toBe(key);
    const revoked = await send('POST', `/v1/admin/keys/${id}/revoke`, as(admin), {});
    expect(revoked).toMatchObject({ status: 200, body: { id, status: 'revoked' } });
    const list = await send('GET', '/v1/admin/keys?project_id=cycle&limit=1', as(admin));
    expect(list.body).toMatchObject({
      data: [{ id, status: 'revoked' }],
      has_more: false,
      next_cursor: null,
    });
  });

  it.each([
    ['project_id', { project_id: 'No Spaces' }],
    ['tier', { project_id: 'shop', tier: 'gold' }],
    ['owner', { project_id: 'shop', owner: 'me' }],
    ['expires_in_seconds', { project_id: 'shop', expires_in_seconds: 'soon' }],
    ['name', { project_id: 'shop', name: null }],
  ])('400 names the field %s', async (param, body) => {
    expect(await create(body)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', param } },
    });
  });

  it('404 for a key that is not there', async () => {
    expect(await send('GET', '/v1/admin/keys/nonsense', as(admin))).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    });
  });

  it('403 for a key that cannot administrate, naming the scope', async () => {
    const { key } = await service.key();
    const answer = await create({ project_id: 'shop' }, key);
    expect(answer).toMatchObject({
      status: 403,
      body: { error: { details: { required_scope: 'keys:write' } } },
    });
  });

  it('401 with one and the same body, whatever is wrong with the key', async () => {
    const { key, id } = await service.key();
    await send('POST', `/v1/admin/keys/${id}/revoke`, as(admin), {});
    const wrong: string[][] = [
      [],
      ['authorization', ''],
      ['authorization', 'Bearer'],
      ['authorization', 'Bearer  x'],
      ['authorization', `Basic ${admin}`],
      ['authorization', `Bearer ${admin}`, 'x-api-key', key],
      ['x-api-key', `${admin}x`],
      ['x-api-key', 'a'.repeat(10_000)],
      as(key),
    ];
    const answers = new Set<string>();
    for (const headers of wrong) {
      const { status, body } = await send('GET', '/v1/admin/keys', headers);
      answers.add(JSON.stringify({ status, ...body, request_id: null }));
    }
    expect([...answers]).toEqual([expect.stringContaining('"status":401')]);
    expect((await send('GET', `/v1/admin/keys?api_key=${admin}`, [])).status).toBe(401);
  });

  it('400 for an authorization that is given twice, before anybody looks at it', async () => {
    expect((await send('GET', '/v1/admin/keys', [...as(admin), ...as(admin)])).status).toBe(400);
  });

  it('200 for the scheme in any case, and for x-api-key', async () => {
    expect((await send('GET', '/v1/admin/keys', ['AUTHORIZATION', `bearer ${admin}`])).status).toBe(200);
    expect((await send('GET', '/v1/admin/keys', ['x-api-key', admin])).status).toBe(200);
  });
});
