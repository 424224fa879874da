import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { startTestService, type TestService } from '../support/test-service.js';

describe('POST /v1/admin/policy/explain', () => {
  let service: TestService;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service?.stop());

  const explain = (body: unknown, key = admin) => service.post('/v1/admin/policy/explain', body, key);
  const newKey = (input: object) =>
    service.app.get(KeysService).create(operatorPrincipal(), { project: 'shop', ...input });

  it('200 says what a plain key of a tier would get', async () => {
    const { status, body } = await explain({ tier: 'free' });
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        allowed: true,
        effective_policy: {
          tools: ['Read', 'Grep', 'Glob'],
          agents: [],
          skills: [],
          network: 'none',
          filesystem: 'read',
          timeout_seconds: 60,
          max_cost_usd: 0.1,
        },
        refusals: [],
        notes: [],
      },
    });
  });

  it('200 names each refused thing with its rule, and what is left', async () => {
    const { status, body } = await explain({
      ...{ tier: 'free', allow_tools: ['Read', 'Bash', 'WebSearch'], allow_agents: ['security-auditor'] },
      ...{ allow_skills: ['changelog'], timeout_seconds: 300, max_cost_usd: 1 },
    });
    expect({ status, allowed: body.allowed, tools: body.effective_policy.tools }).toEqual({
      status: 200,
      allowed: false,
      tools: ['Read'],
    });
    expect(body.refusals.map((refusal: any) => `${refusal.item} by ${refusal.rule}`)).toEqual([
      'tool:Bash by tier:free',
      'tool:WebSearch by network:none',
      'agent:security-auditor by tier:free',
      'skill:changelog by tier:free',
      'timeout_seconds by tier:free',
      'max_cost_usd by tier:free',
    ]);
    expect(body.refusals[0].message).toBe('the tier free does not allow the tool Bash');
  });

  it('200 goes by the grants of a key, and notes those that name nothing', async () => {
    const { id } = await newKey({ tier: 'pro', agents: ['test-writer', 'gone'], skills: ['grants-bash'] });
    const { body } = await explain({ key: id, allow_agents: ['test-writer', 'security-auditor'] });
    expect(body).toMatchObject({
      allowed: false,
      effective_policy: { agents: ['test-writer'], skills: ['grants-bash'] },
      refusals: [{ item: 'agent:security-auditor', rule: 'key' }],
      notes: [
        'the key is granted the agent gone, and there is none of that name',
        'the skill grants-bash asks for what it does not get: allowed-tools, hooks, !`command`',
      ],
    });
  });

  it('200 says of a key that cannot ask at all why not', async () => {
    const made = await newKey({ tier: 'pro' });
    await service.app.get(KeysService).revoke(operatorPrincipal(), made.id);
    expect((await explain({ key: made.currentSecret.kid })).body).toMatchObject({
      allowed: false,
      refusals: [{ item: `key:${made.id}`, rule: 'key', message: 'the key is revoked' }],
    });
    const { id } = await newKey({ admin: true });
    expect((await explain({ key: id })).body).toMatchObject({
      allowed: false,
      refusals: [{ message: 'an administration key cannot run a task' }],
    });
  });

  it.each([
    ['key', {}],
    ['key', { key: 'key_x', tier: 'free' }],
    ['tier', { tier: 'gold' }],
    ['allow_tools.1', { tier: 'pro', allow_tools: ['Read', 'Agent'] }],
    ['allow_agents.0', { tier: 'pro', allow_agents: ['nobody'] }],
    ['allow_skills', { tier: 'pro', allow_skills: 'pdf' }],
    ['model', { tier: 'pro', model: 'gpt-9' }],
    ['timeout_seconds', { tier: 'pro', timeout_seconds: 0 }],
    ['max_turns', { tier: 'pro', max_turns: 1 }],
  ])('400 names the field %s: %j', async (param, body) => {
    expect(await explain(body)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', param } },
    });
  });

  it('404 for a key that the caller does not manage', async () => {
    const { id } = await newKey({ tier: 'pro' });
    const { key: stranger } = await newKey({ admin: true, project: 'elsewhere' });
    expect((await explain({ key: id }, stranger)).status).toBe(404);
  });

  it('403 for a key that cannot administrate', async () => {
    const { key } = await service.key();
    expect(await explain({ tier: 'free' }, key)).toMatchObject({
      status: 403,
      body: { error: { details: { required_scope: 'keys:read' } } },
    });
  });
});
