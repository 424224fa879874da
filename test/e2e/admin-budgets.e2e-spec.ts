import pg from 'pg';
import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { startTestService, type TestService } from '../support/test-service.js';

describe('/v1/admin/budgets', () => {
  let service: TestService;
  let database: pg.Client;
  let admin: string;
  let keyId: string;
  let key: string;

  beforeAll(async () => {
    service = await startTestService();
    database = new pg.Client(service.databaseUrl);
    await database.connect();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
    ({ id: keyId, key } = await service.key('enterprise', 'shop'));
  });
  beforeEach(() => database.query('UPDATE budgets SET removed_at = now()'));
  afterAll(async () => {
    await database.end();
    await service.stop();
  });

  async function call(method: string, path: string, body?: unknown, as = admin) {
    const response = await fetch(`${service.url}/v1/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as any };
  }
  const set = (over = {}) =>
    call('POST', 'budgets', { project_id: 'shop', limit_usd: 20, period: 'month', ...over });
  const complete = () => service.post('/v1/completions', { prompt: 'hi', model: 'haiku' }, key);

  it('201 makes a budget; set again it has the new limit; each change is audited', async () => {
    const made = await set({ time_zone: 'Europe/Berlin' });
    expect([made.status, made.body]).toMatchObject([
      201,
      {
        ...{ object: 'budget', project_id: 'shop', key_id: null, unit: 'usd', limit: 20, period: 'month' },
        ...{ time_zone: 'Europe/Berlin', enabled: true },
        window: { granted: 0, held: 0, settled: 0, overrun: 0, remaining: 20 },
      },
    ]);
    const again = await set({ limit_usd: 30 });
    expect([again.body.id, again.body.limit]).toEqual([made.body.id, 30]);
    expect((await set({ time_zone: 'UTC' })).body.error.code).toBe('conflict');
    const { rows } = await database.query(
      `SELECT type, diff FROM audit_events WHERE target->>'id' = $1 ORDER BY seq`,
      [made.body.id],
    );
    expect(rows).toEqual([
      { type: 'budget.created', diff: expect.objectContaining({ limit: 20, unit: 'usd' }) },
      {
        type: 'budget.updated',
        diff: { from: { limit: 20, enabled: true }, to: { limit: 30, enabled: true } },
      },
    ]);
  });

  it('lists, shows, changes and removes; what is removed holds nobody back', async () => {
    const { body } = await set({
      project_id: undefined,
      key: keyId,
      limit_usd: undefined,
      limit_requests: 0,
    });
    expect(body).toMatchObject({ key_id: keyId, unit: 'requests', limit: 0 });
    expect((await complete()).body.error.details).toMatchObject({
      budget: body.id,
      unit: 'requests',
      limit: 0,
    });
    const list = await call('GET', 'budgets?project_id=shop&limit=1');
    expect(list.body).toMatchObject({ data: [{ id: body.id }], has_more: false });
    await call('PATCH', `budgets/${body.id}`, { enabled: false });
    expect((await complete()).status).toBe(200);
    await call('PATCH', `budgets/${body.id}`, { enabled: true });
    expect((await complete()).status).toBe(402);
    expect((await call('DELETE', `budgets/${body.id}`)).body.id).toBe(body.id);
    expect((await complete()).status).toBe(200);
    expect((await call('GET', `budgets/${body.id}`)).status).toBe(404);
  });

  it('a grant is for this period, is kept for good, and lets a denied key go on at once', async () => {
    const { body } = await set({ limit_usd: 0.000001 });
    expect((await complete()).status).toBe(402);
    expect((await complete()).status).toBe(402);
    const granted = await call('POST', `budgets/${body.id}/grants`, { amount: 1, reason: 'the demo' });
    expect([granted.status, granted.body.window.granted]).toEqual([201, 1]);
    expect((await complete()).status).toBe(200);
    const shown = await call('GET', `budgets/${body.id}`);
    expect(shown.body.window).toMatchObject({ held: 0, settled: 0.0000047 });
    await expect(database.query('DELETE FROM budget_grants')).rejects.toThrow('append-only');
  });

  it('grants add up to no more than a budget can count', async () => {
    const { body } = await set();
    const grant = () => call('POST', `budgets/${body.id}/grants`, { amount: 999_999_999 });
    expect((await grant()).body.window).toMatchObject({ granted: 999_999_999, remaining: 1_000_000_019 });
    const again = await grant();
    expect([again.status, again.body.error.param]).toEqual([400, 'amount']);
  });

  it('a limit may go below what is used: nothing is left then', async () => {
    const { body } = await set({ limit_usd: 1 });
    await complete();
    const lowered = await call('PATCH', `budgets/${body.id}`, { limit_usd: 0.000001 });
    expect([lowered.status, lowered.body.window.remaining]).toEqual([200, 0]);
    expect((await complete()).body.error.details).toMatchObject({ limit: 0.000001, remaining: 0 });
  });

  it('shows what running work holds', async () => {
    const { body } = await set();
    service.model.script = () => ({ chunkDelayMs: 500 });
    const running = complete();
    let holds: any[] = [];
    while (!(holds[0]?.held_usd > 0.001)) holds = (await call('GET', 'holds')).body.data;
    expect(holds).toMatchObject([
      { project_id: 'shop', key_id: keyId, kind: 'completion', budgets: [body.id] },
    ]);
    expect((await running).status).toBe(200);
    expect((await call('GET', 'holds')).body.data).toEqual([]);
    service.model.reset();
  });

  it.each([
    ['limit_usd', { limit_usd: -1 }],
    ['limit_usd', { limit_usd: undefined }],
    ['limit_tokens', { limit_tokens: 5 }],
    ['limit_tokens', { limit_usd: undefined, limit_tokens: 1.5 }],
    ['time_zone', { time_zone: 'Mars/Olympus' }],
    ['key', { key: 'x' }],
    ['period', { period: 'year' }],
  ])('400 naming %s: %j', async (param, over) => {
    const { status, body } = await set(over);
    expect([status, body.error.param]).toEqual([400, param]);
  });

  it('404 for what is not there, or in another project; 403 for a key that infers', async () => {
    const { body } = await set();
    const other = await service.app
      .get(KeysService)
      .create(operatorPrincipal(), { project: 'elsewhere', admin: true });
    expect((await set({ project_id: 'nowhere' })).status).toBe(404);
    expect((await call('GET', `budgets/${body.id}`, undefined, other.key)).status).toBe(404);
    expect((await call('POST', `budgets/${body.id}/grants`, { amount: 1 }, other.key)).status).toBe(404);
    expect((await call('GET', 'budgets', undefined, other.key)).body.data).toEqual([]);
    expect(
      (await call('POST', 'budgets', { key: keyId, limit_usd: 1, period: 'day' }, other.key)).status,
    ).toBe(404);
    expect((await call('GET', 'budgets', undefined, key)).status).toBe(403);
  });
});
