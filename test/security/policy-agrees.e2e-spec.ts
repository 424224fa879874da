import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import type { RunSpec } from '@app/executor';
import fc from 'fast-check';
import { answering, ScriptedExecutor } from '../support/scripted-executor.js';
import { call, TaskInstallation, type TaskProcess } from '../support/task-installation.js';

jest.setTimeout(120_000);

const TOOLS = ['Read', 'Grep', 'Write', 'Bash', 'WebSearch', 'Agent', 'bash', '__proto__', 'constructor'];
const AGENTS = ['security-auditor', 'general-purpose', 'toString'];
const SKILLS = ['changelog', 'grants-bash', '../changelog'];
/** Mostly what is there: a single name that is not there decides the whole. */
const some = (names: string[], there: number) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 5, arbitrary: fc.subarray(names.slice(0, there)) },
    { weight: 1, arbitrary: fc.subarray(names) },
  );

const asks = fc.record({
  allow_tools: some(TOOLS, 5),
  allow_agents: some(AGENTS, 1),
  allow_skills: some(SKILLS, 1),
  model: fc.constantFrom(undefined, 'auto', 'haiku', 'opus', 'claude-sonnet-5-5'),
  timeout_seconds: fc.constantFrom(undefined, undefined, 1, 60, 61, 301, 3600),
  max_cost_usd: fc.constantFrom(undefined, undefined, 0.000_001, 0.1, 0.11, 5, 10.01),
});
const grants = fc.record({
  tier: fc.constantFrom('free', 'pro', 'enterprise'),
  agents: fc.subarray(AGENTS.slice(0, 2)),
  skills: fc.subarray(SKILLS.slice(0, 2)),
  models: fc.constantFrom<string[] | undefined>(undefined, ['haiku'], ['sonnet', 'opus']),
});

/** Three tellings of one rule: what `explain` says, what a request is answered, and what its run is given. */
describe('the policy', () => {
  let installation: TaskInstallation;
  let server: TaskProcess;
  let admin: string;
  let given: RunSpec | undefined;

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    const executor = new ScriptedExecutor((spec, signal) => {
      given = spec;
      return answering('done')(spec, signal);
    });
    server = await installation.startProcess({}, executor);
    admin = (await server.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => installation.stop());

  it('is what explain says, whatever is asked by whomever', async () => {
    const seen = { ran: 0, forbidden: 0, invalid: 0 };
    await fc.assert(
      fc.asyncProperty(grants, asks, async (grant, ask) => {
        const made = await server.app
          .get(KeysService)
          .create(operatorPrincipal(), { project: 'agreeing', ...grant });
        given = undefined;
        const told = await call(server, admin, 'POST', '/v1/admin/policy/explain', {
          body: { key: made.id, ...ask },
        });
        const done = await call(server, made.key, 'POST', '/v1/task', {
          body: { description: 'go', ...ask },
        });
        if (told.status === 400) {
          seen.invalid += 1;
          expect([done.status, done.body.error.param]).toEqual([400, told.body.error.param]);
        } else if (!told.body.allowed) {
          seen.forbidden += 1;
          expect([done.status, done.body.error.details.refusals]).toEqual([403, told.body.refusals]);
        } else {
          seen.ran += 1;
          expect([done.status, done.body.status]).toEqual([200, 'succeeded']);
          const started = done.body.execution_log.find(({ type }: { type: string }) => type === 'started');
          const policy = told.body.effective_policy;
          expect(done.body.effective_policy).toEqual(policy);
          expect(started.effective_policy).toEqual(policy);
          expect(given).toMatchObject({
            limits: { deadlineMs: policy.timeout_seconds * 1000 },
            agentic: {
              tools: policy.tools,
              agents: policy.agents.map((name: string) => expect.objectContaining({ name })),
              skills: policy.skills.map((name: string) => expect.objectContaining({ name })),
              workspace: expect.objectContaining({ writable: policy.filesystem === 'write' }),
            },
          });
        }
        if (told.status === 400 || !told.body.allowed) expect(given).toBeUndefined();
      }),
      { numRuns: 150 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
  });
});
