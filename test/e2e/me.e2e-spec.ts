import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { BudgetsService } from '@app/budgets';
import { startTestService, type TestService } from '../support/test-service.js';

describe('GET /v1/me', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service?.stop());

  async function me(key: string) {
    const response = await fetch(`${service.url}/v1/me`, { headers: { 'x-api-key': key } });
    return { status: response.status, body: (await response.json()) as any };
  }
  const make = (input: object) =>
    service.app.get(KeysService).create(operatorPrincipal(), { project: 'my-app', ...input });

  it('tells a key what its tier and its own grants leave of it, and what it pays from', async () => {
    const made = await make({
      tier: 'pro',
      name: 'production',
      agents: ['security-auditor'],
      models: ['haiku'],
      requestsPerMinute: 7,
      expiresInSeconds: 3600,
    });
    const budgets = service.app.get(BudgetsService);
    const set = (input: object) => budgets.set(operatorPrincipal(), { period: 'month', ...input });
    const own = await set({ key: made.id, limitRequests: 9 });
    const shared = await set({ project: 'my-app', limitUsd: 20 });
    expect(await me(made.key)).toEqual({
      status: 200,
      body: {
        key: {
          id: made.id,
          name: 'production',
          project_id: 'my-app',
          kind: 'inference',
          tier: 'pro',
          created_at: made.createdAt.toISOString(),
          expires_at: made.expiresAt!.toISOString(),
        },
        scopes: expect.arrayContaining(['completions:create', 'self:read']),
        limits: {
          tools: ['Read', 'Grep', 'Glob', 'Write', 'Edit', 'Bash'],
          agents: ['security-auditor'],
          skills: [],
          models: ['haiku'],
          default_timeout_seconds: 300,
          max_timeout_seconds: 300,
          max_cost_usd: 1,
          concurrent_runs: 3,
          requests_per_minute: 7,
          network: 'none',
          filesystem: 'write',
          workspace_bytes: 100_000_000,
        },
        budgets: [
          expect.objectContaining({ id: own.id, key_id: made.id, unit: 'requests', limit: 9 }),
          expect.objectContaining({ id: shared.id, key_id: null, unit: 'usd', limit: 20 }),
        ],
      },
    });
  });

  it('tells the default and the most where they differ, and nothing of the secret', async () => {
    const made = await make({ tier: 'enterprise' });
    const { body } = await me(made.key);
    expect(body.limits).toMatchObject({ default_timeout_seconds: 600, max_timeout_seconds: 3600 });
    const { kid, last4 } = made.currentSecret;
    for (const part of [kid, `…${last4}`, made.key]) expect(JSON.stringify(body)).not.toContain(part);
  });

  it('tells an administration key its scopes; it has no limits, as it runs nothing', async () => {
    const { key } = (await service.app.get(Bootstrap).ensureAdmin())!;
    const { status, body } = await me(key);
    expect(status).toBe(200);
    expect(body).toMatchObject({ key: { kind: 'admin', project_id: 'operator' }, limits: null });
    expect(body.scopes).toEqual(expect.arrayContaining(['tiers:write', 'projects:write', 'keys:write']));
    expect(body.scopes).not.toContain('completions:create');
  });

  it('401 without a key', async () => {
    expect((await fetch(`${service.url}/v1/me`)).status).toBe(401);
  });
});
