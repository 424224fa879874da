import { startTestService, type TestService } from '../support/test-service.js';
import { envelope } from '../support/raw-http.js';

const MEBIBYTE = 1024 * 1024;

/** sandbox-security.md section 6, the rows that are about tasks. Nothing of it makes a task. */
describe('tasks that are asked for wrongly', () => {
  let service: TestService;
  let key: string;
  let free: string;

  beforeAll(async () => {
    service = await startTestService({ ROLE: 'api' });
    ({ key } = await service.key());
    ({ key: free } = await service.key('free'));
  });
  afterAll(async () => {
    const { body } = await get('/v1/tasks');
    const made = body.data.filter(({ description }: any) => description !== 'good');
    await service.stop();
    if (made.length > 0) throw new Error('a refused request has made a task');
  });

  const post = (body: unknown, path = '/v1/tasks', headers = {}) => service.post(path, body, key, headers);
  async function get(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(service.url + path, { headers: { 'x-api-key': key, ...headers } });
    return { status: response.status, body: (await response.json()) as any };
  }
  const file = (path: string, more: object = {}) => ({
    description: 'x',
    files: [{ path, content: 'x', ...more }],
  });

  it.each([
    [30, 'id', { id: 'task_1' }],
    [30, 'status', { status: 'succeeded' }],
    [30, 'project', { project: 'other' }],
    [30, 'files.0.mode', { files: [{ path: 'a', content: 'x', mode: 511 }] }],
    [31, 'timeout_seconds', { timeout_seconds: 0 }],
    [31, 'timeout_seconds', { timeout_seconds: -1 }],
    [31, 'timeout_seconds', { timeout_seconds: 1_000_000_000 }],
    [31, 'timeout_seconds', { timeout_seconds: 1.5 }],
    [31, 'timeout_seconds', { timeout_seconds: null }],
    [31, 'timeout', { timeout: '60' }],
    [31, 'max_turns', { max_turns: 0 }],
    [31, 'max_turns', { max_turns: 1001 }],
    [31, 'max_cost_usd', { max_cost_usd: -1 }],
    [31, 'max_cost', { max_cost: 0 }],
    [32, 'model', { model: 'Opus' }],
    [32, 'model', { model: 'орus' }],
    [32, 'files.0.encoding', { files: [{ path: 'a', content: 'x', encoding: 'UTF8' }] }],
    [32, 'workspace', { workspace: 'Website' }],
    [33, 'allow_tools', { allow_tools: Array(201).fill('Read') }],
    [33, 'files', { files: Array.from({ length: 201 }, () => ({ path: 'a', content: '' })) }],
    [35, 'metadata', { metadata: '9999-99-99' }],
    [81, 'allow_tools.0', { allow_tools: ['Read(//**)'] }],
    [81, 'allow_tools.0', { allow_tools: ['Bash(*)'] }],
    [81, 'allow_tools.0', { allow_tools: ['Agent'] }],
    [81, 'allow_agents.0', { allow_agents: ['../../x'] }],
    [85, 'workspace', { workspace: '/' }],
    [85, 'workspace', { workspace: '~' }],
    [85, 'workspace', { workspace: '../other' }],
  ])('row %i: %s is refused', async (_, param, fields) => {
    const answer = await post({ description: 'x', ...fields });
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect(answer.body).toEqual(envelope('invalid_request'));
  });

  it.each([
    ['description', { description: '' }],
    ['description', { description: ' \u200b\n' }],
    ['description', {}],
    ['timeout', { description: 'x', timeout: 5, timeout_seconds: 5 }],
    ['max_cost', { description: 'x', max_cost: 5, max_cost_usd: 5 }],
    ['context', { description: 'x', context: null }],
    ['context', { description: 'x', context: ['a'] }],
    ['context', { description: 'x', context: 5 }],
    ['output_schema', { description: 'x', output_schema: [] }],
    ['output_schema', { description: 'x', output_schema: 'string' }],
    ['files', { description: 'x', files: {} }],
    ['files.0', { description: 'x', files: ['a'] }],
    ['files.0.path', { description: 'x', files: [{ content: 'x' }] }],
    ['files.0.content', { description: 'x', files: [{ path: 'a' }] }],
    ['files.0.content', file('a', { encoding: 'base64', content: 'not base64!' })],
    ['files.0.content', file('a', { encoding: 'base64', content: 'YQ' })],
  ])('names %s: %j', async (param, body) => {
    const answer = await post(body);
    expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([
      400,
      'invalid_request',
      param,
    ]);
  });

  it.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../../x',
    'a/./b',
    'a//b',
    'a/',
    '..',
    'a\\b',
    'C:/x',
    'a\nb',
    'a\u007fb',
    'a\u202eb',
    `${'x'.repeat(256)}/a`,
    `${'é'.repeat(128)}`,
    'a/'.repeat(512) + 'a',
  ])('row 53: the path %j is refused', async (path) => {
    const answer = await post(file(path));
    expect([answer.status, answer.body.error.param]).toEqual([400, 'files.0.path']);
  });

  it.each([
    [['a', 'a'], 'files.1.path'],
    [['a/b', 'a'], 'files.0.path'],
    [['a', 'a/b/c'], 'files.1.path'],
  ])('files that stand in each other’s way are refused: %j', async (paths, param) => {
    const files = paths.map((path) => ({ path, content: 'x' }));
    const answer = await post({ description: 'x', files });
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  });

  it.each([
    ['description', { description: '😀'.repeat(MEBIBYTE / 4 + 1) }],
    ['system_prompt_append', { description: 'x', system_prompt_append: 'x'.repeat(MEBIBYTE + 1) }],
    ['context', { description: 'x', context: 'x'.repeat(MEBIBYTE + 1) }],
    ['context', { description: 'x', context: { a: 'x'.repeat(MEBIBYTE) } }],
    ['metadata', { description: 'x', metadata: { a: 'x'.repeat(16 * 1024) } }],
    ['output_schema', { description: 'x', output_schema: { a: 'x'.repeat(64 * 1024) } }],
    ['files', file('a', { content: 'x'.repeat(8 * MEBIBYTE + 1) })],
  ])('row 34: too much %s is refused by its bytes', async (param, body) => {
    const answer = await post(body);
    expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([
      413,
      'request_too_large',
      param,
    ]);
  });

  it('row 44: a free key that asks for Bash is told every rule that refuses it', async () => {
    const body = { description: 'x', allow_tools: ['Read', 'Bash'], timeout: 61, max_cost: 1 };
    const answer = await service.post('/v1/tasks', body, free);
    expect([answer.status, answer.body]).toEqual([403, envelope('permission_denied')]);
    expect(answer.body.error.details.refusals.map(({ item, rule }: any) => [item, rule])).toEqual(
      expect.arrayContaining([
        ['tool:Bash', 'tier:free'],
        ['timeout_seconds', 'tier:free'],
        ['max_cost_usd', 'tier:free'],
      ]),
    );
  });

  it.each([
    ['../../etc/passwd', 404],
    ['..%2f..%2fetc%2fpasswd', 404],
    ['x'.repeat(10_000), 404],
    ['1%20OR%201%3D1', 404],
    ['{}', 404],
    ['TASK_00000000000000000000000000000000', 404],
    ['%00', 400],
  ])('row 48: the id %j', async (id, status) => {
    for (const path of [`/v1/tasks/${id}`, `/v1/tasks/${id}/events`]) {
      expect((await get(path)).status).toBe(status);
    }
    expect((await post({}, `/v1/tasks/${id}/cancel`)).status).toBe(status);
  });

  it.each([
    'limit=-1',
    'limit=0',
    'limit=1000000000',
    'limit=x',
    'limit[]=5',
    'limit=1&limit=2',
    'status=done',
    'status=queued&status=failed',
    'sort=;drop',
    'cursor=',
    'cursor=1',
    `cursor=task_${'0'.repeat(31)}'`,
    'cursor[]=x',
  ])('rows 50 to 52: ?%s is refused', async (query) => {
    expect((await get(`/v1/tasks?${query}`)).body).toEqual(envelope('invalid_request'));
  });

  it('rows 50 to 52: events too, and a wait that is none', async () => {
    const { body: task } = await post({ description: 'good' });
    const events = `/v1/tasks/${task.id}/events`;
    for (const query of [
      'after=-1',
      'after=x',
      'after=1&after=2',
      'cursor=x',
      'limit=201',
      'after=99999999999',
    ]) {
      const answer = await get(`${events}?${query}`, { accept: 'application/json' });
      expect([query, answer.body]).toEqual([query, envelope('invalid_request')]);
    }
    const resumed = await get(events, { 'last-event-id': '1; drop' });
    expect(resumed).toEqual({ status: 400, body: envelope('invalid_request') });
    for (const query of ['wait=yes', 'wait=', 'wait=true&wait=true', 'wat=true']) {
      expect((await post({ description: 'x' }, `/v1/tasks?${query}`)).status).toBe(400);
    }
    const ignored = await post({ description: 'good' }, '/v1/tasks', { prefer: 'wait=soon' });
    expect(ignored.status).toBe(202);
  });
});
