import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { startTestService, type TestService } from '../support/test-service.js';

describe('/v1/admin/audit', () => {
  let service: TestService;
  /** Of the installation, and of the projects shop and bank. */
  let admin: string;
  let shopAdmin: string;
  let bankAdmin: string;
  const keys: string[] = [];

  beforeAll(async () => {
    service = await startTestService();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
    const make = service.app.get(KeysService);
    shopAdmin = (await make.create(operatorPrincipal(), { project: 'shop', admin: true })).key;
    bankAdmin = (await make.create(operatorPrincipal(), { project: 'bank', admin: true })).key;
    for (let n = 0; n < 5; n++) keys.push((await service.key('pro', 'shop')).id);
    await make.revoke(operatorPrincipal(), keys[0]!);
    await make.update(operatorPrincipal(), keys[1]!, { tier: 'free' });
  });
  afterAll(() => service?.stop());

  async function get(path: string, key = admin) {
    const response = await fetch(`${service.url}/v1/admin/audit${path}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json;');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    };
  }

  it('200 tells what happened, the newest first, page by page without a gap', async () => {
    const whole = (await get('?project=shop')).body;
    expect(whole).toMatchObject({ has_more: false, next_cursor: null });
    expect(whole.data.map(({ seq }: any) => seq)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(whole.data[0]).toEqual({
      ...{ project: 'shop', seq: 8, at: expect.stringMatching(/^20.+Z$/), type: 'key.updated' },
      ...{ actor: { kind: 'operator', id: 'operator' }, target: { kind: 'key', id: keys[1] } },
      ...{ outcome: 'ok', diff: { tier: { from: 'pro', to: 'free' } }, request_id: null },
    });
    const paged: any[] = [];
    for (let cursor = ''; ;) {
      const { body } = await get(`?limit=3${cursor}`);
      paged.push(...body.data);
      if (!body.has_more) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(paged).toEqual((await get('?limit=200')).body.data);
    expect(paged.filter(({ project }) => project === 'shop')).toEqual(whole.data);
  });

  it.each([
    ['type=key.revoked', () => [7]],
    ['outcome=denied', () => []],
    ['actor=operator&type=key.updated', () => [8]],
    ['actor=nobody', () => []],
    ['from=2100-01-01T00:00:00Z', () => []],
    ['to=2100-01-01T00:00:00%2B02:00&type=key.updated', () => [8]],
  ])('200 filters by %s', async (query, expected) => {
    const { status, body } = await get(`?project=shop&${query}`);
    expect({ status, seqs: body.data.map(({ seq }: any) => seq) }).toEqual({ status: 200, seqs: expected() });
  });

  it('200 filters by target', async () => {
    const { data } = (await get(`?target=${keys[0]}`)).body;
    expect(data.map(({ type }: any) => type)).toEqual(['key.revoked', 'key.created']);
  });

  it.each([
    ['project', 'project=No%20Spaces'],
    ['type', 'type=key.eaten'],
    ['outcome', 'outcome=fine'],
    ['actor', 'actor=%0A'],
    ['actor', 'actor=a&actor=b'],
    ['target', `target=${'x'.repeat(201)}`],
    ['from', 'from=yesterday'],
    ['to', 'to=2026-02-30T00:00:00Z'],
    ['limit', 'limit=0'],
    ['limit', 'limit=201'],
    ['cursor', 'cursor=zzz'],
    ['cursor', `cursor=${Buffer.from('["2026-13-01T00:00:00Z","shop",1]').toString('base64url')}`],
    ['cursor', `cursor=${Buffer.from('["2026-11-01T00:00:00Z","sh\\u0000p",1]').toString('base64url')}`],
    ['colour', 'colour=red'],
  ])('400 names the filter %s for ?%s', async (param, query) => {
    expect(await get(`?${query}`)).toMatchObject({ status: 400, body: { error: { param } } });
  });

  it('shows an administrator of one project that project only', async () => {
    const seen = new Set((await get('?limit=200', shopAdmin)).body.data.map(({ project }: any) => project));
    expect([...seen]).toEqual(['shop']);
    expect((await get('?project=shop', bankAdmin)).body).toEqual({
      data: [],
      has_more: false,
      next_cursor: null,
    });
    expect((await get(`?target=${keys[0]}`, bankAdmin)).body.data).toEqual([]);
    for (const project of ['shop', 'nobody']) {
      expect((await get(`/export?project=${project}`, bankAdmin)).status).toBe(404);
      expect(await service.post('/v1/admin/audit/verify', { project }, bankAdmin)).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found', param: 'project' } },
      });
    }
    const own = await service.post('/v1/admin/audit/verify', {}, bankAdmin);
    expect(own.body.chains).toMatchObject([{ project: 'bank', ok: true }]);
    expect((await get('/export', bankAdmin)).text).not.toContain('shop');
  });

  it('403 for a key that does not administrate', async () => {
    const { key } = await service.key();
    for (const path of ['', '/export']) {
      expect(await get(path, key)).toMatchObject({
        status: 403,
        body: { error: { details: { required_scope: 'audit:read' } } },
      });
    }
    expect((await service.post('/v1/admin/audit/verify', {}, key)).status).toBe(403);
  });

  it('200 verifies every chain, or says where one is broken', async () => {
    const { status, body } = await service.post('/v1/admin/audit/verify', {}, admin);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { ok: true, public_key: expect.stringMatching(/^ed25519:/) },
    } as object);
    expect(body.chains.map(({ project }: any) => project)).toEqual(expect.arrayContaining(['bank', 'shop']));
    expect(body.chains.find(({ project }: any) => project === 'shop')).toMatchObject({
      events: 8,
      fault: null,
    });
  });

  it('200 exports as JSON lines and as CSV, and writes that down', async () => {
    const lines = await get('/export?project=shop');
    expect(lines.headers.get('content-type')).toBe('application/jsonl; charset=utf-8');
    const kinds = lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(['export', 'chain', 'checkpoint', ...Array(9).fill('event'), 'end']);
    const table = await get('/export?project=shop&format=csv');
    expect(table.text.trimEnd().split('\r\n')).toHaveLength(1 + 10);
    expect((await get('?project=shop&type=audit.exported')).body.data).toHaveLength(2);
    expect((await get('/export?format=xml')).body.error.param).toBe('format');
  });
});
