import { setTimeout as sleep } from 'node:timers/promises';
import { Transactions } from '@app/database';
import { startTwoInstances, type TwoInstances } from '../support/two-instances.js';

describe('/v1/admin/projects', () => {
  let service: TwoInstances;
  beforeAll(async () => {
    service = await startTwoInstances();
  });
  afterAll(() => service?.stop());

  const path = (id: string, verb = '') => `/v1/admin/projects/${id}${verb && `/${verb}`}`;
  const turn = (id: string, verb: 'disable' | 'enable', key?: string) =>
    service.ask('POST', path(id, verb), undefined, key);
  const complete = (key: string) => service.askThere('POST', '/v1/completions', { prompt: 'hi' }, key);
  const audited = async (id: string) => {
    const rows: { type: string }[] = await service.here.app
      .get(Transactions)
      .manager.query(`SELECT type FROM audit_events WHERE target = $1 ORDER BY seq`, [
        { kind: 'project', id },
      ]);
    return rows.map(({ type }) => type);
  };

  it('201 makes a project; 409 when there is one already, also by its first key', async () => {
    expect(await service.ask('POST', '/v1/admin/projects', { project_id: 'made' })).toMatchObject({
      status: 201,
      body: { id: 'made', status: 'active', keys: { active: 0, revoked: 0 }, disabled_at: null },
    });
    await service.here.key('free', 'by-key');
    for (const taken of ['made', 'by-key']) {
      const { status, body } = await service.ask('POST', '/v1/admin/projects', { project_id: taken });
      expect([status, body.error.code, body.error.param]).toEqual([409, 'conflict', 'project_id']);
    }
    expect(await audited('made')).toEqual(['project.created']);
  });

  it.each([{ project_id: 'No Spaces' }, { project_id: '' }, { project_id: 7 }, {}])(
    '400 names the field for %j',
    async (body) => {
      expect(await service.ask('POST', '/v1/admin/projects', body)).toMatchObject({
        status: 400,
        body: { error: { param: 'project_id' } },
      });
    },
  );

  it('200 lists by name, page by page, with how many keys each has', async () => {
    const { id } = await service.here.key('free', 'counted');
    await service.here.key('free', 'counted');
    await service.ask('POST', `/v1/admin/keys/${id}/revoke`, {});
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor && `&cursor=${cursor}`;
      const { body } = await service.ask('GET', `/v1/admin/projects?limit=2${query}`);
      expect(body.has_more).toBe(body.next_cursor !== null);
      names.push(...body.data.map((project: any) => project.id));
      cursor = body.next_cursor;
    }
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(expect.arrayContaining(['counted', 'operator']));
    expect((await service.ask('GET', path('counted'))).body.keys).toEqual({ active: 1, revoked: 1 });
    expect((await service.ask('GET', '/v1/admin/projects?cursor=No!')).status).toBe(400);
  });

  it('no key of a disabled project works, on any instance, until it is enabled', async () => {
    const keys = [];
    for (let i = 0; i < 3; i++) keys.push((await service.here.key('pro', 'stopped')).key);
    const neighbour = await service.here.key('pro', 'neighbour');
    for (const key of keys) expect((await complete(key)).status).toBe(200);
    expect(await turn('stopped', 'disable')).toMatchObject({
      status: 200,
      body: { status: 'disabled', keys: { active: 3 }, disabled_at: expect.any(String) },
    });
    // Where the key was known: refused by its epoch, and as a key that does not work once the news is there.
    for (const key of keys) expect([401, 409]).toContain((await complete(key)).status);
    await sleep(100);
    for (const key of keys) expect((await complete(key)).status).toBe(401);
    expect((await complete(neighbour.key)).status).toBe(200);
    await turn('stopped', 'disable');
    await turn('stopped', 'enable');
    await sleep(100);
    for (const key of keys) expect((await complete(key)).status).toBe(200);
    expect(await audited('stopped')).toEqual(['project.disabled', 'project.enabled']);
  });

  it('what its keys have running is cut, and a key of an earlier time stays revoked', async () => {
    const { key } = await service.here.key('pro', 'cut');
    const { id, key: revoked } = await service.here.key('pro', 'cut');
    await service.ask('POST', `/v1/admin/keys/${id}/revoke`, {});
    const { model } = service.here;
    const asked = model.journal.length;
    model.script = () => ({ hang: true });
    const running = complete(key);
    while (model.journal.length === asked) await sleep(20);
    const since = performance.now();
    await turn('cut', 'disable');
    expect((await running).body.error.code).toBe('invalid_api_key');
    expect(performance.now() - since).toBeLessThan(5_000);
    model.script = () => ({});
    await turn('cut', 'enable');
    await sleep(100);
    expect((await complete(revoked)).status).toBe(401);
  });

  it('a disabled project gets no new key, and its own can still be revoked', async () => {
    const { id } = await service.here.key('pro', 'closed');
    await turn('closed', 'disable');
    expect(await service.ask('POST', '/v1/admin/keys', { project_id: 'closed' })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', param: 'project_id' } },
    });
    const { body } = await service.ask('POST', '/v1/admin/policy/explain', { key: id });
    expect(body.refusals).toMatchObject([{ message: 'the project of the key is disabled' }]);
    expect((await service.ask('POST', `/v1/admin/keys/${id}/revoke`, {})).status).toBe(200);
    await turn('closed', 'enable');
    expect((await service.ask('POST', '/v1/admin/keys', { project_id: 'closed' })).status).toBe(201);
  });

  it("the operator's own project cannot be disabled", async () => {
    expect((await turn('operator', 'disable')).status).toBe(409);
    expect((await service.ask('GET', '/v1/admin/projects')).status).toBe(200);
  });

  it("a project's administration key sees its own project, and changes none", async () => {
    await service.here.key('free', 'other');
    const { key } = (await service.ask('POST', '/v1/admin/keys', { project_id: 'own', admin: true })).body;
    const { body } = await service.ask('GET', '/v1/admin/projects', undefined, key);
    expect(body.data.map(({ id }: any) => id)).toEqual(['own']);
    const missing = await service.ask('GET', path('missing'), undefined, key);
    const others = await service.ask('GET', path('other'), undefined, key);
    expect([others.status, others.body.error]).toEqual([404, missing.body.error]);
    expect((await turn('own', 'disable', key)).status).toBe(403);
    expect((await turn('other', 'disable', key)).status).toBe(403);
    expect((await service.ask('POST', '/v1/admin/projects', { project_id: 'new' }, key)).status).toBe(403);
  });

  it.each(['nobody', 'No%20Spaces', '%27%3B--'])('404 for %s', async (id) => {
    expect((await service.ask('GET', path(id))).status).toBe(404);
    expect((await turn(id, 'disable')).status).toBe(404);
  });
});
