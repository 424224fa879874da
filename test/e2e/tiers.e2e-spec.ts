import { Transactions } from '@app/database';
import { KeyChanges } from '@app/auth';
import { startTwoInstances, type TwoInstances } from '../support/two-instances.js';

describe('/v1/admin/tiers', () => {
  let service: TwoInstances;
  beforeAll(async () => {
    service = await startTwoInstances();
  });
  afterAll(() => service?.stop());

  const path = (name: string) => `/v1/admin/tiers/${name}`;
  const set = (name: string, body: object) => service.ask('PUT', path(name), body);
  const query = (sql: string, values: unknown[] = []) =>
    service.here.app.get(Transactions).manager.query(sql, values);
  const audited = async (name: string) =>
    query(`SELECT type, diff FROM audit_events WHERE target->>'id' = $1 ORDER BY seq`, [name]);

  it('200 lists the tiers that everybody has, unchanged', async () => {
    const { status, body } = await service.ask('GET', '/v1/admin/tiers');
    expect([status, body.has_more]).toEqual([200, false]);
    expect(body.data.map((tier: any) => [tier.name, tier.version, tier.is_default])).toEqual([
      ['free', 0, true],
      ['pro', 0, true],
      ['enterprise', 0, true],
    ]);
  });

  it('200 makes a tier from another one, and a key of it has its limits on every instance', async () => {
    const made = await set('acme', {
      from: 'enterprise',
      requests_per_minute: 5000,
      tools: ['Read', 'Bash'],
    });
    expect(made).toMatchObject({
      status: 200,
      body: {
        name: 'acme',
        version: 1,
        is_default: false,
        requests_per_minute: 5000,
        tools: ['Read', 'Bash'],
        max_cost_usd: 10,
        network: 'none',
        created_at: expect.any(String),
      },
    });
    const created = await service.askThere('POST', '/v1/admin/keys', { project_id: 'shop', tier: 'acme' });
    expect(created.status).toBe(201);
    const { key } = created.body;
    for (const ask of [service.ask, service.askThere]) {
      expect((await ask('GET', '/v1/me', undefined, key)).body.limits).toMatchObject({
        requests_per_minute: 5000,
        tools: ['Read', 'Bash'],
        agents: ['security-auditor', 'test-writer', 'wants-everything'],
      });
    }
    expect(await audited('acme')).toEqual([
      {
        type: 'tier.created',
        diff: {
          version: 1,
          from: 'enterprise',
          requestsPerMinute: { from: 1000, to: 5000 },
          tools: { from: 'all', to: ['Read', 'Bash'] },
        },
      },
    ]);
  });

  it('a change holds from its answer on: no run starts by the old limit on another instance', async () => {
    await set('narrowed', { from: 'pro' });
    const { key } = await service.here.key('narrowed');
    const body = { prompt: 'hi', max_cost_usd: 0.8 };
    expect((await service.askThere('POST', '/v1/completions', body, key)).status).toBe(200);
    await set('narrowed', { max_cost_usd: 0.5 });
    const statuses = [];
    for (let attempt = 0; attempt < 20 && statuses.at(-1) !== 403; attempt++) {
      // 409: what that instance knew of the key was older than the change.
      statuses.push((await service.askThere('POST', '/v1/completions', body, key)).status);
    }
    expect(statuses.at(-1)).toBe(403);
    expect(statuses.slice(0, -1).filter((status) => status !== 409)).toEqual([]);
  });

  it('a change is told of all keys of the tier in one go, and of no others', async () => {
    await set('crowd', { from: 'free' });
    const crowd = [];
    for (let i = 0; i < 5; i++) crowd.push((await service.here.key('crowd')).id);
    await service.here.key('free');
    const epochs = async () =>
      Object.fromEntries(
        (await query('SELECT id, epoch FROM api_keys')).map((row: any) => [row.id, row.epoch]),
      );
    const revision = async () => Number((await query('SELECT revision FROM auth_revision'))[0].revision);
    const [before, revisionBefore] = [await epochs(), await revision()];
    const heard: string[] = [];
    const changes = service.here.app.get(KeyChanges);
    await changes.catchUp();
    changes.onChange(({ keyId, kind }) => heard.push(`${keyId} ${kind}`));
    await set('crowd', { concurrent_runs: 7 });
    const after = await epochs();
    const raised = Object.keys(after).filter((id) => after[id] !== before[id]);
    expect(raised.toSorted()).toEqual(crowd.toSorted());
    expect(await revision()).toBe(revisionBefore + 1);
    expect(heard.toSorted()).toEqual(crowd.map((id) => `${id} changed`).toSorted());
    await set('crowd', { concurrent_runs: 7 });
    expect([await revision(), (await service.ask('GET', path('crowd'))).body.version]).toEqual([
      revisionBefore + 1,
      2,
    ]);
  });

  it('tells every version, newest first', async () => {
    await set('history', { from: 'free', max_timeout_seconds: 50 });
    await set('history', { max_timeout_seconds: 40, default_timeout_seconds: 30 });
    const { body } = await service.ask('GET', path('history'));
    expect(body).toMatchObject({ version: 2, max_timeout_seconds: 40, default_timeout_seconds: 30 });
    const shown = body.versions.map(({ version, entitlements }: any) => [
      version,
      entitlements.default_timeout_seconds,
    ]);
    expect(shown).toEqual([
      [2, 30],
      [1, 50],
    ]);
  });

  it('200 removes a tier that no key has; 409 while one has', async () => {
    await set('passing', { from: 'free' });
    const { id } = await service.here.key('passing');
    expect(await service.ask('DELETE', path('passing'))).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', details: { keys: 1 } } },
    });
    await service.ask('POST', `/v1/admin/keys/${id}/revoke`, {});
    expect(await service.ask('DELETE', path('passing'))).toMatchObject({
      status: 200,
      body: { name: 'passing', removed: true },
    });
    expect((await service.askThere('GET', path('passing'))).status).toBe(404);
    expect((await service.ask('DELETE', path('passing'))).status).toBe(404);
    expect(
      await service.ask('POST', '/v1/admin/keys', { project_id: 'shop', tier: 'passing' }),
    ).toMatchObject({
      status: 400,
      body: { error: { param: 'tier' } },
    });
    expect((await set('passing', { from: 'pro' })).body).toMatchObject({ version: 3, max_cost_usd: 1 });
    expect((await audited('passing')).map(({ type }: any) => type)).toEqual([
      'tier.created',
      'tier.removed',
      'tier.created',
    ]);
  });

  it('a default tier can be changed, and made as it was, but not removed', async () => {
    const { key } = await service.here.key('free');
    await set('free', { requests_per_minute: 20 });
    expect((await service.ask('GET', '/v1/me', undefined, key)).body.limits.requests_per_minute).toBe(20);
    expect((await service.ask('DELETE', path('free'))).status).toBe(409);
    const reset = await service.ask('POST', `${path('free')}/reset`);
    expect(reset).toMatchObject({ status: 200, body: { version: 2, requests_per_minute: 10 } });
    expect((await service.ask('GET', '/v1/me', undefined, key)).body.limits.requests_per_minute).toBe(10);
    expect((await audited('free')).at(-1)).toMatchObject({
      type: 'tier.reset',
      diff: { requestsPerMinute: { from: 20, to: 10 } },
    });
    await set('own', { from: 'free' });
    expect((await service.ask('POST', `${path('own')}/reset`)).status).toBe(409);
  });

  it.each([
    ['from', 'nobody', { requests_per_minute: 5 }],
    ['from', 'somebody', { from: 'nobody' }],
    ['name', 'No%20Spaces', { from: 'free' }],
    ['tools.1', 'bad', { from: 'free', tools: ['Read', 'bash'] }],
    ['tools.0', 'bad', { from: 'free', tools: ['Agent'] }],
    ['tools', 'bad', { from: 'free', tools: ['Read', 'Read'] }],
    ['tools', 'bad', { from: 'free', tools: 'everything' }],
    ['tools', 'bad', { from: 'free', tools: null }],
    ['agents', 'bad', { from: 'free', agents: 'some' }],
    ['models', 'bad', { from: 'free', models: [] }],
    ['models', 'bad', { from: 'free', models: ['gpt'] }],
    ['max_cost_usd', 'bad', { from: 'free', max_cost_usd: 0 }],
    ['max_timeout_seconds', 'bad', { from: 'free', max_timeout_seconds: 3601 }],
    ['default_timeout_seconds', 'bad', { from: 'free', default_timeout_seconds: 61 }],
    ['concurrent_runs', 'bad', { from: 'free', concurrent_runs: 1.5 }],
    ['requests_per_minute', 'bad', { from: 'free', requests_per_minute: 0 }],
    ['workspace_bytes', 'bad', { from: 'free', workspace_bytes: 1 }],
    ['network', 'bad', { from: 'free', network: 'all' }],
  ])('400 names %s (%s, %j)', async (param, name, body) => {
    expect(await set(name, body)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', param } },
    });
    expect((await service.ask('GET', path(name))).status).toBe(404);
  });

  it('says which tool was probably meant', async () => {
    const { body } = await set('bad', { from: 'free', tools: ['bash'] });
    expect(body.error.message).toContain('did you mean Bash?');
  });

  it("a project's administration key may look, and change nothing", async () => {
    const { key } = (await service.ask('POST', '/v1/admin/keys', { project_id: 'shop', admin: true })).body;
    expect((await service.ask('GET', path('pro'), undefined, key)).status).toBe(200);
    const attempts = [
      await service.ask('PUT', path('pro'), { requests_per_minute: 1 }, key),
      await service.ask('PUT', path('mine'), { from: 'enterprise' }, key),
      await service.ask('DELETE', path('acme'), undefined, key),
      await service.ask('POST', `${path('pro')}/reset`, undefined, key),
    ];
    expect(attempts.map(({ status, body }) => [status, body.error.code])).toEqual(
      attempts.map(() => [403, 'permission_denied']),
    );
    expect((await service.ask('GET', path('pro'))).body.version).toBe(0);
    const { key: inference } = await service.here.key();
    expect((await service.ask('GET', path('pro'), undefined, inference)).status).toBe(403);
  });

  it('twenty changes at a time become twenty versions', async () => {
    await set('busy', { from: 'free' });
    await service.here.key('busy');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? service.ask : service.askThere)('PUT', path('busy'), { requests_per_minute: 100 + i }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await service.ask('GET', path('busy'))).body.version).toBe(21);
  });

  it('a key whose tier is gone may do nothing', async () => {
    await set('ghost', { from: 'enterprise' });
    const { key } = await service.here.key('ghost');
    await query(`UPDATE api_keys SET tier = 'never-was', epoch = epoch + 1 WHERE tier = 'ghost'`);
    const { body } = await service.askThere('POST', '/v1/completions', { prompt: 'hi' }, key);
    expect(body.error).toMatchObject({ code: 'permission_denied' });
  });
});
