import type { KeyGrants } from '@app/common';
import { DEFAULT_TIERS } from './default-tiers.js';
import { type Available, type EffectivePolicy, type PolicyAsk, effectivePolicy } from './effective-policy.js';

const tierOf = (name: string) => DEFAULT_TIERS.find((tier) => tier.name === name)!;
const PLAIN_KEY: KeyGrants = { agents: [], skills: [], models: null, requestsPerMinute: null };
const LOCAL_TOOLS = ['Read', 'Grep', 'Glob', 'Write', 'Edit', 'NotebookEdit', 'Bash', 'TodoWrite'];
const AVAILABLE: Available = {
  tools: [
    ...LOCAL_TOOLS.map((name) => ({ name, network: false })),
    { name: 'WebFetch', network: true },
    { name: 'WebSearch', network: true },
  ],
  agents: ['reviewer', 'deployer'],
  skills: ['pdf', 'changelog'],
};

interface Case {
  title: string;
  tier: 'free' | 'pro' | 'enterprise';
  key?: Partial<KeyGrants>;
  ask?: Partial<PolicyAsk>;
  policy?: Partial<EffectivePolicy>;
  /** `item by rule`, in order; none = allowed. */
  refused?: string[];
}

const CASES: Case[] = [
  {
    title: 'a free key with plain defaults gets exactly its tier',
    tier: 'free',
    policy: {
      tools: ['Read', 'Grep', 'Glob'],
      agents: [],
      skills: [],
      models: ['haiku', 'sonnet', 'opus'],
      timeoutSeconds: 60,
      maxCostUsd: 0.1,
      concurrentRuns: 1,
      requestsPerMinute: 10,
      network: 'none',
      filesystem: 'read',
      workspaceBytes: 50_000_000,
    },
  },
  {
    title: 'an enterprise request without a timeout gets 600 s, not the most',
    tier: 'enterprise',
    policy: {
      tools: LOCAL_TOOLS,
      agents: ['reviewer', 'deployer'],
      skills: ['pdf', 'changelog'],
      timeoutSeconds: 600,
      maxCostUsd: 10,
      filesystem: 'write',
    },
  },
  {
    title: 'a request narrows its tier',
    tier: 'enterprise',
    ask: { tools: ['Read'], agents: [], timeoutSeconds: 5, maxCostUsd: 0.01 },
    policy: {
      tools: ['Read'],
      agents: [],
      skills: ['pdf', 'changelog'],
      timeoutSeconds: 5,
      maxCostUsd: 0.01,
      filesystem: 'read',
    },
  },
  {
    title: 'an empty tool list leaves no file system',
    tier: 'pro',
    ask: { tools: [] },
    policy: { tools: [], filesystem: 'none' },
  },
  {
    title: 'a name asked for twice counts once',
    tier: 'pro',
    ask: { tools: ['Bash', 'Bash'] },
    policy: { tools: ['Bash'], filesystem: 'write' },
  },
  {
    title: 'a tool outside the tier is refused and the rest stays',
    tier: 'free',
    ask: { tools: ['Read', 'Bash'] },
    policy: { tools: ['Read'] },
    refused: ['tool:Bash by tier:free'],
  },
  {
    title: 'what needs the network is in no tier, also not in all',
    tier: 'enterprise',
    ask: { tools: ['WebFetch', 'Read', 'WebSearch'] },
    policy: { tools: ['Read'], network: 'none' },
    refused: ['tool:WebFetch by network:none', 'tool:WebSearch by network:none'],
  },
  {
    title: 'the network refuses before the tier does',
    tier: 'free',
    ask: { tools: ['WebFetch'] },
    refused: ['tool:WebFetch by network:none'],
  },
  {
    title: 'every refused thing is named, with its own rule',
    tier: 'free',
    ask: {
      ...{ tools: ['Bash', 'Write', 'WebFetch'], agents: ['reviewer', 'deployer'], skills: ['pdf'] },
      maxCostUsd: 5,
    },
    policy: { tools: [], agents: [], skills: [], filesystem: 'none', maxCostUsd: 0.1 },
    refused: [
      'tool:Bash by tier:free',
      'tool:Write by tier:free',
      'tool:WebFetch by network:none',
      'agent:reviewer by tier:free',
      'agent:deployer by tier:free',
      'skill:pdf by tier:free',
      'max_cost_usd by tier:free',
    ],
  },
  {
    title: 'what nobody knows is refused, even when it is granted',
    tier: 'enterprise',
    key: { agents: ['gone'] },
    ask: { tools: ['Fly'], agents: ['gone'], skills: ['none'] },
    policy: { tools: [], agents: [], skills: [] },
    refused: ['tool:Fly by unknown', 'agent:gone by unknown', 'skill:none by unknown'],
  },
  {
    title: 'a grant that names nothing gives nothing',
    tier: 'pro',
    key: { agents: ['gone', 'reviewer'], skills: ['gone'] },
    policy: { agents: ['reviewer'], skills: [] },
  },
  {
    title: 'a grant that names nothing still narrows an enterprise key',
    tier: 'enterprise',
    key: { agents: ['gone'] },
    policy: { agents: [] },
  },
  {
    title: 'granted agents do not help a tier that has none',
    tier: 'free',
    key: { agents: ['reviewer'] },
    ask: { agents: ['reviewer'] },
    policy: { agents: [] },
    refused: ['agent:reviewer by tier:free'],
  },
  {
    title: 'a pro key has the agents and skills granted to it',
    tier: 'pro',
    key: { agents: ['reviewer'], skills: ['pdf'] },
    policy: { agents: ['reviewer'], skills: ['pdf'] },
  },
  {
    title: 'a pro key without the grant is refused by the key',
    tier: 'pro',
    key: { agents: ['reviewer'] },
    ask: { agents: ['deployer'], skills: ['pdf'] },
    refused: ['agent:deployer by key', 'skill:pdf by key'],
  },
  {
    title: 'a list on an enterprise key narrows it',
    tier: 'enterprise',
    key: { agents: ['reviewer'] },
    ask: { agents: ['deployer', 'reviewer'] },
    policy: { agents: ['reviewer'], skills: ['pdf', 'changelog'] },
    refused: ['agent:deployer by key'],
  },
  {
    title: 'a key narrows the models',
    tier: 'enterprise',
    key: { models: ['haiku'] },
    ask: { model: 'claude-opus-5-5' },
    policy: { models: ['haiku'] },
    refused: ['model:claude-opus-5-5 by key'],
  },
  {
    title: 'auto is allowed as long as one model is',
    tier: 'free',
    key: { models: ['opus'] },
    ask: { model: 'auto' },
    policy: { models: ['opus'] },
  },
  {
    title: 'an unknown model is not its business',
    tier: 'free',
    key: { models: ['haiku'] },
    ask: { model: 'gpt-9' },
  },
  {
    title: 'more time and money than the tier has is refused, each by name',
    tier: 'pro',
    ask: { timeoutSeconds: 301, maxCostUsd: 1.01 },
    policy: { timeoutSeconds: 300, maxCostUsd: 1 },
    refused: ['timeout_seconds by tier:pro', 'max_cost_usd by tier:pro'],
  },
  {
    title: "the tier's most is allowed",
    tier: 'enterprise',
    ask: { timeoutSeconds: 3600, maxCostUsd: 10 },
    policy: { timeoutSeconds: 3600, maxCostUsd: 10 },
  },
  {
    title: 'a key lowers its rate',
    tier: 'pro',
    key: { requestsPerMinute: 5 },
    policy: { requestsPerMinute: 5 },
  },
  {
    title: 'a key cannot raise its rate above the tier',
    tier: 'pro',
    key: { requestsPerMinute: 5000 },
    policy: { requestsPerMinute: 100 },
  },
];

describe('the effective policy', () => {
  it.each(CASES)('$title', ({ tier, key, ask, policy = {}, refused = [] }) => {
    const result = effectivePolicy(
      tierOf(tier),
      { ...PLAIN_KEY, ...key },
      { model: 'auto', ...ask },
      AVAILABLE,
    );
    expect(result.policy).toMatchObject(policy);
    expect(result.refusals.map(({ item, rule }) => `${item} by ${rule}`)).toEqual(refused);
  });

  it('says in words what was refused and by what', () => {
    const ask = { model: 'auto', tools: ['Bash', 'WebFetch', 'Fly'], agents: ['reviewer'] };
    const { refusals } = effectivePolicy(tierOf('free'), PLAIN_KEY, ask, AVAILABLE);
    expect(refusals.map(({ message }) => message)).toEqual([
      'the tier free does not allow the tool Bash',
      'the tool WebFetch needs the network, and no run has one',
      'there is no tool Fly',
      'the tier free does not allow the agent reviewer',
    ]);
  });

  it('never hands out the lists of a tier, so no caller can widen one', () => {
    const tools = () => effectivePolicy(tierOf('free'), PLAIN_KEY, { model: 'auto' }, AVAILABLE).policy.tools;
    tools().push('Bash');
    expect(tools()).toEqual(['Read', 'Grep', 'Glob']);
  });
});
