import { gzipSync } from 'node:zlib';
import { Bootstrap } from '@app/auth';
import { startTestService, type TestService } from '../support/test-service.js';
import { envelope } from '../support/raw-http.js';

const MEBIBYTE = 1024 * 1024;

/** sandbox-security.md section 6, "Bodies", against the real route for completions. None reaches the model. */
describe('bodies', () => {
  let service: TestService;
  let id: string;
  let key: string;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    ({ id, key } = await service.key());
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service.stop());

  async function send(body: string | Buffer | undefined, headers: Record<string, string> = {}) {
    const response = await fetch(`${service.url}/v1/completions`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json', ...headers },
      body: typeof body === 'object' ? new Uint8Array(body) : body,
    });
    const answer: any = await response.json();
    expect(response.headers.get('x-request-id')).toBe(answer.request_id);
    return {
      status: response.status,
      body: answer,
      param: answer.error?.param,
      text: JSON.stringify(answer),
    };
  }
  const refused = (status: number, code: string, param: string | null = null) => ({
    status,
    param,
    body: envelope(code),
  });

  it.each([
    '{"a":',
    '{',
    '{"prompt":"x"} x',
    "{'prompt':1}",
    '{"prompt":"a\nb"}',
    '{"prompt":NaN}',
    'nonsense-canary',
  ])('row 17: malformed JSON is invalid_json, and is not echoed: %j', async (body) => {
    const answer = await send(body);
    expect(answer).toMatchObject(refused(400, 'invalid_json'));
    expect(answer.text).not.toMatch(/canary|position|token|JSON\.parse/i);
  });

  it.each([
    ['', {}],
    [undefined, {}],
    [gzipSync(''), { 'content-encoding': 'gzip' }],
  ])('row 18: an empty body where one is needed', async (body, headers) =>
    expect(await send(body, headers as any)).toMatchObject(refused(400, 'invalid_request')),
  );

  it.each(['null', '"x"', '[]', '[{"prompt":"x"}]', '5', 'true'])(
    'row 19: %s is not an object',
    async (body) => {
      expect(await send(body)).toMatchObject(refused(400, 'invalid_request'));
    },
  );

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json; charset=utf-7',
    'application/json; charset=latin1',
  ])('row 20: %s: 415', async (type) =>
    expect(await send('{"prompt":"x"}', { 'content-type': type })).toMatchObject(
      refused(415, 'unsupported_media_type'),
    ),
  );

  it('row 21: over the limit: 413, also as a gzip bomb', async () => {
    const large = Buffer.alloc(11 * MEBIBYTE, ' ');
    expect(await send(large)).toMatchObject(refused(413, 'request_too_large'));
    const bomb = gzipSync(Buffer.alloc(200 * MEBIBYTE, ' '));
    expect(bomb.length).toBeLessThan(MEBIBYTE);
    expect(await send(bomb, { 'content-encoding': 'gzip' })).toMatchObject(refused(413, 'request_too_large'));
  });

  it.each(['br', 'deflate', 'compress', 'gzip, gzip', 'x'])(
    'row 22: content-encoding %s: 415',
    async (encoding) => {
      expect(await send('{}', { 'content-encoding': encoding })).toMatchObject(
        refused(415, 'unsupported_media_type'),
      );
    },
  );

  it('row 22: damaged gzip: 400', async () => {
    const cut = gzipSync('{"prompt":"x"}').subarray(0, 12);
    for (const damaged of [cut, Buffer.from('not gzip')]) {
      expect(await send(damaged, { 'content-encoding': 'gzip' })).toMatchObject(
        refused(400, 'invalid_request'),
      );
    }
  });

  it('row 22: sound gzip is read', async () => {
    const answer = await send(gzipSync('{"prompt":5}'), { 'content-encoding': 'gzip' });
    expect(answer).toMatchObject(refused(400, 'invalid_request', 'prompt'));
  });

  it.each([
    ['a stray byte', [0x22, 0xff, 0x22]],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate as UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ])('row 23: %s is not UTF-8', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"prompt":'), Buffer.from(bytes), Buffer.from('}')]);
    expect(await send(body)).toMatchObject(refused(400, 'invalid_json'));
  });

  it.each(['\\ud800', '\\udc00', 'x\\ud83dx', '\\ud800\\ud800'])(
    'row 23: half a surrogate pair: %s',
    async (escape) => {
      expect(await send(`{"prompt":"${escape}"}`)).toMatchObject(refused(400, 'invalid_request', 'prompt'));
    },
  );

  it('row 24: NUL in any string, however deep', async () => {
    expect(await send('{"prompt":"a\\u0000b"}')).toMatchObject(refused(400, 'invalid_request', 'prompt'));
    const deep = '{"prompt":"x","metadata":{"a":["b",{"c":"\\u0000"}]}}';
    expect(await send(deep)).toMatchObject(refused(400, 'invalid_request', 'metadata.a.1.c'));
  });

  it('row 25: 40,000 nested arrays', async () => {
    const body = `{"prompt":${'['.repeat(40_000)}${']'.repeat(40_000)}}`;
    const answer = await send(body);
    expect(answer).toMatchObject(refused(400, 'invalid_request'));
    expect(answer.body.error.message).toContain('32');
  });

  it('row 26: 100,000 keys', async () => {
    const body = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])));
    expect((await send(body)).body.error.message).toContain('1000 keys');
  });

  it.each([
    '{"prompt":"x","__proto__":{"polluted":1}}',
    '{"prompt":"x","constructor":{"prototype":{"polluted":1}}}',
    '{"prompt":"x","metadata":{"__proto__":{"polluted":1}}}',
    '{"prompt":"x","\\u005f_proto__":{"polluted":1}}',
  ])('row 27: %s is an unknown field, and pollutes nothing', async (body) => {
    const answer = await send(body);
    expect(answer).toMatchObject({ status: 400, body: envelope('invalid_request') });
    expect(answer.body.error.message).toContain('unknown field');
    expect(({} as any).polluted).toBeUndefined();
  });

  it.each([
    ['{"prompt":"x","model":"haiku","model":"opus"}', 'model'],
    ['{"prompt":"x","model":"haiku","\\u006dodel":"opus"}', 'model'],
    ['{"prompt":"x","metadata":{"tier":1,"tier":2}}', 'metadata.tier'],
  ])('row 28: a key given twice: %s', async (body, param) => {
    expect(await send(body)).toMatchObject(refused(400, 'invalid_request', param));
  });

  it.each([
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '-0.0',
    '9007199254740993',
    '"60"',
    'true',
    'null',
    '[60]',
    '{}',
  ])('row 29: timeout_seconds %s', async (value) =>
    expect(await send(`{"prompt":"x","timeout_seconds":${value}}`)).toMatchObject(
      refused(400, 'invalid_request', 'timeout_seconds'),
    ),
  );

  it.each(['tenantId', 'costUsd', 'status', 'project_id', 'toString', 'then', 'id'])(
    'row 30: the extra field %s',
    async (field) => {
      const answer = await send(JSON.stringify({ prompt: 'x', [field]: 'y' }));
      expect(answer).toMatchObject(refused(400, 'invalid_request', field));
      expect(answer.body.error.message).toContain('unknown field');
    },
  );

  it.each([0, -1, 1e9, 1.5, null])('row 31: timeout_seconds %s, with the bounds', async (timeout_seconds) => {
    const answer = await send(JSON.stringify({ prompt: 'x', timeout_seconds }));
    expect(answer).toMatchObject(refused(400, 'invalid_request', 'timeout_seconds'));
    expect(answer.body.error.message).toMatch(/1|3600|integer/);
  });

  it.each(['Haiku', 'рro', 'haiku ', 'ｈaiku', ''])('row 32: the model %j', async (model) => {
    expect(await send(JSON.stringify({ prompt: 'x', model }))).toMatchObject(
      refused(400, 'invalid_request', 'model'),
    );
  });

  it('row 33: an array of a million items, at little cost', async () => {
    const started = performance.now();
    const answer = await send(JSON.stringify({ prompt: 'x', stop: Array(1_000_000).fill('a') }));
    expect(answer).toMatchObject({ status: 400, body: envelope('invalid_request') });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('row 34: 5 MB of emoji is counted in bytes', async () => {
    const prompt = '😀'.repeat((5 * MEBIBYTE) / 4);
    expect(await send(JSON.stringify({ prompt }))).toMatchObject(refused(413, 'request_too_large', 'prompt'));
    expect(await send(JSON.stringify({ prompt: '😀'.repeat(MEBIBYTE / 4 + 1) }))).toMatchObject(
      refused(413, 'request_too_large', 'prompt'),
    );
  });

  it.each(['9999-99-99', '+275760-09-14T00:00:00Z', '2026-02-30T00:00:00Z', 5, 'tomorrow'])(
    'row 35: the date %j',
    async (expires_at) => {
      const response = await fetch(`${service.url}/v1/admin/keys/${id}`, {
        method: 'PATCH',
        headers: { 'x-api-key': admin, 'content-type': 'application/json' },
        body: JSON.stringify({ expires_at }),
      });
      expect([response.status, await response.json()]).toEqual([400, envelope('invalid_request')]);
    },
  );

  it('none of these reached the model', () => {
    expect(service.model.journal).toEqual([]);
  });
});
