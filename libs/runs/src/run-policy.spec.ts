import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule, type KeyGrants } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';
import { EcosystemModule } from '@app/ecosystem';
import { PermissionsModule } from '@app/permissions';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { RunPolicy } from './run-policy.js';
import type { AgenticAsk } from './run.js';

const LOCAL_TOOLS = ['Read', 'Grep', 'Glob', 'Write', 'Edit', 'NotebookEdit', 'Bash', 'TodoWrite'];

describe('what a task may do', () => {
  let database: TestDatabase;
  let home: string;
  let module: TestingModule;
  let policy: RunPolicy;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    database = await createTestDatabase();
    home = await mkdtemp(join(tmpdir(), 'run-policy-'));
    const folder = resolve(__dirname, '../../../test/fixtures/claude-config');
    const config = loadConfig({}, { CLAUDE_API_HOME: home, CLAUDE_CONFIG_DIR: folder });
    module = await Test.createTestingModule({
      imports: [
        CommonModule,
        ConfigModule.of(config),
        DatabaseModule.forUrl(database.url),
        EcosystemModule,
        PermissionsModule,
      ],
      providers: [RunPolicy],
    }).compile();
    await module.init();
    policy = module.get(RunPolicy);
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
    await rm(home, { recursive: true });
  });

  type Ask = Omit<AgenticAsk, 'workspaceDir'> & { model?: string };

  function rightsOf(tier: string, { model = 'auto', ...agentic }: Ask = {}, key: Partial<KeyGrants> = {}) {
    const grants = { agents: [], skills: [], models: null, requestsPerMinute: null, ...key };
    return policy.for({ tier, grants }, { kind: 'task', model, agentic });
  }
  const specOf = async (...asked: Parameters<typeof rightsOf>) => (await rightsOf(...asked)).agentic!;

  it('is all that is installed for enterprise, by name', async () => {
    const { policy: effective, refusals, agentic } = await rightsOf('enterprise');
    expect(refusals).toEqual([]);
    expect(effective).toMatchObject({
      tools: LOCAL_TOOLS,
      agents: ['security-auditor', 'test-writer', 'wants-everything'],
      skills: ['changelog', 'grants-bash'],
      workspaceBytes: 500_000_000,
    });
    expect(agentic).toMatchObject({
      tools: LOCAL_TOOLS,
      models: ['claude-haiku-5-5', 'claude-sonnet-5-5', 'claude-opus-5-5'],
    });
    expect(agentic!.skills).toEqual([
      { name: 'changelog', dir: expect.stringContaining(home) },
      { name: 'grants-bash', dir: expect.stringContaining(home) },
    ]);
  });

  it('is reading for free, with plain defaults and nothing refused', async () => {
    const { policy: effective, refusals, agentic } = await rightsOf('free');
    expect(refusals).toEqual([]);
    expect(effective).toMatchObject({ filesystem: 'read', network: 'none', workspaceBytes: 50_000_000 });
    expect(agentic).toMatchObject({ tools: ['Read', 'Grep', 'Glob'], agents: [], skills: [] });
  });

  it('names everything that a free key may not have', async () => {
    const ask = { tools: ['Read', 'Bash', 'WebFetch'], agents: ['security-auditor'], skills: ['changelog'] };
    const { refusals, agentic } = await rightsOf('free', ask);
    expect(refusals.map(({ item, rule }) => `${item} by ${rule}`)).toEqual([
      'tool:Bash by tier:free',
      'tool:WebFetch by network:none',
      'agent:security-auditor by tier:free',
      'skill:changelog by tier:free',
    ]);
    expect(agentic).toMatchObject({ tools: ['Read'], agents: [], skills: [] });
  });

  it('says nothing of tasks to a completion', async () => {
    const grants = { agents: ['gone'], skills: [], models: null, requestsPerMinute: null };
    const rights = await policy.for({ tier: 'enterprise', grants }, { kind: 'completion', model: 'opus' });
    expect(rights).toMatchObject({ policy: { tools: [], agents: [], skills: [] }, refusals: [] });
    expect(rights.agentic).toBeUndefined();
  });

  describe('an agent', () => {
    const agentOf = async (name: string, ...asked: Parameters<typeof rightsOf>) =>
      (await specOf(...asked)).agents.find((agent) => agent.name === name);

    it('has its own tools and model', async () => {
      expect(await agentOf('security-auditor', 'enterprise')).toEqual({
        name: 'security-auditor',
        description: expect.stringContaining('Reads code'),
        prompt: expect.stringContaining('You audit code'),
        tools: ['Read', 'Grep', 'Glob'],
        model: 'sonnet',
      });
    });

    it('has no tool and no model that its run does not have', async () => {
      const agent = await agentOf(
        'security-auditor',
        'enterprise',
        { tools: ['Read', 'Bash'] },
        { models: ['haiku'] },
      );
      expect(agent?.tools).toEqual(['Read']);
      expect(agent).not.toHaveProperty('model');
    });

    it.each(['test-writer', 'wants-everything'])('has those of its run, written out: %s', async (name) => {
      const agent = await agentOf(name, 'enterprise', { tools: ['Read', 'Grep'] });
      expect(agent).toEqual({
        name,
        description: expect.any(String),
        prompt: expect.any(String),
        tools: ['Read', 'Grep'],
      });
    });
  });

  it('is answered for the models of the key alone', async () => {
    expect((await specOf('enterprise', {}, { models: ['haiku'] })).models).toEqual(['claude-haiku-5-5']);
  });

  describe('names that mean nothing', () => {
    const refused = (param: string, message: string) =>
      expect.objectContaining({ code: 'invalid_request', param, message });

    it.each<[string, Ask, string, string]>([
      ['a tool', { tools: ['Read', 'bash'] }, 'allow_tools.1', 'there is no tool "bash"; did you mean Bash?'],
      ['a tool of nobody', { tools: ['Fly'] }, 'allow_tools.0', 'there is no tool "Fly"'],
      ['a rule', { tools: ['Read(//**)'] }, 'allow_tools.0', 'there is no tool "Read(//**)"'],
      ['a star', { tools: ['*'] }, 'allow_tools.0', 'there is no tool "*"'],
      ['a prototype', { tools: ['constructor'] }, 'allow_tools.0', 'there is no tool "constructor"'],
      [
        'Agent',
        { tools: ['Agent'] },
        'allow_tools.0',
        'the tool Agent comes with allow_agents: leave it out here',
      ],
      [
        'Task',
        { tools: ['Task'] },
        'allow_tools.0',
        'the tool Task comes with allow_agents: leave it out here',
      ],
      [
        'Skill',
        { tools: ['Skill'] },
        'allow_tools.0',
        'the tool Skill comes with allow_skills: leave it out here',
      ],
      [
        'an agent',
        { agents: ['test-writer', 'security-auditr'] },
        'allow_agents.1',
        'there is no agent "security-auditr"; did you mean security-auditor?',
      ],
      [
        'a built-in agent',
        { agents: ['general-purpose'] },
        'allow_agents.0',
        'there is no agent "general-purpose"',
      ],
      [
        'a skill',
        { skills: ['changelogs'] },
        'allow_skills.0',
        'there is no skill "changelogs"; did you mean changelog?',
      ],
      [
        'a model',
        { model: 'hiaku' },
        'model',
        'model must be haiku, sonnet, opus, auto or a full id such as claude-haiku-5-5; did you mean haiku?',
      ],
    ])('are a fault of the request: %s', async (_, ask, param, message) => {
      await expect(rightsOf('enterprise', ask)).rejects.toEqual(refused(param, message));
    });

    it('are not met with the name of what this key may not use', async () => {
      const unknown = refused('allow_agents.0', 'there is no agent "security-auditr"');
      await expect(rightsOf('free', { agents: ['security-auditr'] })).rejects.toEqual(unknown);
      await expect(rightsOf('pro', { agents: ['security-auditr'] })).rejects.toEqual(unknown);
    });
  });

  describe('the decision on a call', () => {
    const fate = async (tool: string, input: object, ...asked: Parameters<typeof rightsOf>) => {
      const decision = (await specOf(...asked)).decide({ tool, input: input as Record<string, unknown> });
      return decision.allowed ? 'allowed' : `${decision.item} by ${decision.rule}`;
    };

    it.each<[string, object, string, Ask, string]>([
      ['Read', {}, 'free', {}, 'allowed'],
      ['Bash', { command: 'id' }, 'pro', {}, 'allowed'],
      ['Bash', { command: 'id' }, 'free', {}, 'tool:Bash by tier:free'],
      ['Bash', { command: 'id' }, 'pro', { tools: ['Read'] }, 'tool:Bash by request'],
      ['Bash', {}, 'enterprise', { tools: [] }, 'tool:Bash by request'],
      ['WebFetch', {}, 'enterprise', {}, 'tool:WebFetch by network:none'],
      ['mcp__github__push', {}, 'enterprise', {}, 'tool:mcp__github__push by unknown'],
      ['ListAgents', {}, 'enterprise', {}, 'tool:ListAgents by unknown'],
      ['', {}, 'enterprise', {}, 'tool: by unknown'],
      ['Agent', { subagent_type: 'test-writer' }, 'enterprise', {}, 'allowed'],
      ['Task', { subagent_type: 'test-writer' }, 'enterprise', {}, 'allowed'],
      ['Agent', { subagent_type: 'test-writer' }, 'free', {}, 'agent:test-writer by tier:free'],
      ['Agent', { subagent_type: 'test-writer' }, 'pro', {}, 'agent:test-writer by key'],
      [
        'Agent',
        { subagent_type: 'test-writer' },
        'enterprise',
        { agents: [] },
        'agent:test-writer by request',
      ],
      ['Agent', { subagent_type: 'general-purpose' }, 'enterprise', {}, 'agent:general-purpose by unknown'],
      ['Agent', {}, 'enterprise', {}, 'agent:general-purpose by unknown'],
      ['Agent', { subagent_type: ['test-writer'] }, 'enterprise', {}, 'agent: by unknown'],
      ['Skill', { skill: 'changelog' }, 'enterprise', {}, 'allowed'],
      ['Skill', { skill: 'granted:changelog' }, 'enterprise', {}, 'allowed'],
      ['Skill', { skill: 'other:changelog' }, 'enterprise', {}, 'skill:other:changelog by unknown'],
      ['Skill', { skill: 'granted:changelog' }, 'pro', {}, 'skill:changelog by key'],
      [
        'Skill',
        { skill: 'grants-bash' },
        'enterprise',
        { skills: ['changelog'] },
        'skill:grants-bash by request',
      ],
      ['Skill', {}, 'enterprise', {}, 'skill: by unknown'],
      ['StructuredOutput', {}, 'free', { outputSchema: {} }, 'allowed'],
      ['StructuredOutput', {}, 'free', {}, 'tool:StructuredOutput by unknown'],
    ])('%s %j for %s asking %j: %s … %s', async (tool, input, tier, ask, expected) => {
      expect(await fate(tool, input, tier, ask)).toBe(expected);
    });

    it('follows the grants of the key', async () => {
      const input = { subagent_type: 'test-writer' };
      expect(await fate('Agent', input, 'pro', {}, { agents: ['test-writer'] })).toBe('allowed');
    });

    it.each([undefined, null, 'text', 5])('is made without an input: %p', async (input) => {
      expect(await fate('Agent', input as never, 'enterprise')).toBe('agent:general-purpose by unknown');
      expect(await fate('Skill', input as never, 'enterprise')).toBe('skill: by unknown');
    });

    it('says why, in words, and no more of a long name than is needed', async () => {
      const { decide } = await specOf('free', { tools: ['Read'] });
      expect(decide({ tool: 'Grep', input: {} })).toMatchObject({
        message: 'this request does not allow the tool Grep',
      });
      expect(decide({ tool: 'x'.repeat(10_000), input: {} })).toMatchObject({
        item: `tool:${'x'.repeat(100)}`,
        rule: 'unknown',
      });
    });
  });
});
