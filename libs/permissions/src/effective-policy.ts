import { type KeyGrants, type ModelFamily, modelFamily } from '@app/common';
import type { Filesystem, Reach, Tier } from './tier.js';

/** What one request wants. A list left out means "what the key may have"; an empty list means none. */
export interface PolicyAsk {
  /** A family, a full model id, or `auto`. */
  model: string;
  timeoutSeconds?: number;
  maxCostUsd?: number;
  tools?: readonly string[];
  agents?: readonly string[];
  skills?: readonly string[];
}

/** What there is to be had on this installation, by name. */
export interface Available {
  tools: readonly { name: string; network: boolean }[];
  agents: readonly string[];
  skills: readonly string[];
}

export const NOTHING_AVAILABLE: Available = { tools: [], agents: [], skills: [] };

/** What one run may do, by name: never more than its tier, its key or its request allows. */
export interface EffectivePolicy {
  tools: string[];
  agents: string[];
  skills: string[];
  models: ModelFamily[];
  timeoutSeconds: number;
  maxCostUsd: number;
  concurrentRuns: number;
  requestsPerMinute: number;
  network: 'none';
  filesystem: Filesystem;
  /** What the run's workspace may hold. */
  workspaceBytes: number;
}

/** One thing that was asked for and is not allowed: `tool:Bash`, by the rule `tier:free`. */
export interface Refusal {
  item: string;
  rule: string;
  message: string;
}

const WRITING_TOOLS = ['Write', 'Edit', 'Bash', 'NotebookEdit'];

/**
 * Narrows tier, key and request to one policy of names that exist, and names everything asked for that they do
 * not allow, each with the rule that refuses it. Pure, and total: what nobody knows is refused too.
 */
export function effectivePolicy(
  tier: Tier,
  key: KeyGrants,
  ask: PolicyAsk,
  available: Available,
): { policy: EffectivePolicy; refusals: Refusal[] } {
  const narrowing = new Narrowing(tier);
  const tools = narrowing.tools(available.tools, ask.tools);
  const policy: EffectivePolicy = {
    tools,
    agents: narrowing.reach('agent', tier.agents, key.agents, available.agents, ask.agents),
    skills: narrowing.reach('skill', tier.skills, key.skills, available.skills, ask.skills),
    models: narrowing.models(key.models, ask.model),
    timeoutSeconds:
      narrowing.cap('timeout_seconds', tier.maxTimeoutSeconds, ask.timeoutSeconds) ??
      tier.defaultTimeoutSeconds,
    maxCostUsd: narrowing.cap('max_cost_usd', tier.maxCostUsd, ask.maxCostUsd) ?? tier.maxCostUsd,
    concurrentRuns: tier.concurrentRuns,
    requestsPerMinute: Math.min(tier.requestsPerMinute, key.requestsPerMinute ?? Infinity),
    network: tier.network,
    filesystem: filesystemFor(tools, tier.filesystem),
    workspaceBytes: tier.workspaceBytes,
  };
  return { policy, refusals: narrowing.refusals };
}

type Rule = 'tier' | 'key' | 'network:none' | 'unknown';

/** Takes one thing after another down to what is allowed, and remembers what that cost the request. */
class Narrowing {
  readonly refusals: Refusal[] = [];

  constructor(private readonly tier: Tier) {}

  tools(available: Available['tools'], wanted: readonly string[] | undefined): string[] {
    const names = available.map(({ name }) => name);
    return this.list('tool', names, wanted, (name) => {
      const tool = available.find((candidate) => candidate.name === name);
      if (!tool) return 'unknown';
      if (tool.network && this.tier.network === 'none') return 'network:none';
      return this.tier.tools === 'all' || this.tier.tools.includes(name) ? undefined : 'tier';
    });
  }

  /** A key's list is what opens anything in a `granted` tier, and narrows an `all` tier once it names something. */
  reach(
    kind: string,
    reach: Reach,
    granted: readonly string[],
    available: readonly string[],
    wanted: readonly string[] | undefined,
  ): string[] {
    const isOpen = reach === 'all' && granted.length === 0;
    return this.list(kind, available, wanted, (name) => {
      if (reach === 'none') return 'tier';
      if (!available.includes(name)) return 'unknown';
      return isOpen || granted.includes(name) ? undefined : 'key';
    });
  }

  models(ofKey: readonly string[] | null, wanted: string): ModelFamily[] {
    const models = this.tier.models.filter((family) => ofKey === null || ofKey.includes(family));
    const family = modelFamily(wanted);
    if ((family && !models.includes(family)) || (wanted === 'auto' && models.length === 0)) {
      this.refuse('model', wanted, family && this.tier.models.includes(family) ? 'key' : 'tier');
    }
    return models;
  }

  cap(item: string, most: number, wanted: number | undefined): number | undefined {
    if (wanted === undefined || wanted <= most) return wanted;
    const { name } = this.tier;
    this.refusals.push({
      item,
      rule: `tier:${name}`,
      message: `the tier ${name} allows ${item} up to ${most}`,
    });
    return most;
  }

  /** Left out: all that no rule refuses. Asked for: the same of these, and a refusal for each of the others. */
  private list(
    kind: string,
    available: readonly string[],
    wanted: readonly string[] | undefined,
    refusedBy: (name: string) => Rule | undefined,
  ): string[] {
    return [...new Set(wanted ?? available)].filter((name) => {
      const rule = refusedBy(name);
      if (rule && wanted) this.refuse(kind, name, rule);
      return !rule;
    });
  }

  private refuse(kind: string, name: string, rule: Rule): void {
    const tier = this.tier.name;
    const message = {
      tier: `the tier ${tier} does not allow the ${kind} ${name}`,
      key: `this key does not allow the ${kind} ${name}`,
      'network:none': `the ${kind} ${name} needs the network, and no run has one`,
      unknown: `there is no ${kind} ${name}`,
    }[rule];
    this.refusals.push({ item: `${kind}:${name}`, rule: rule === 'tier' ? `tier:${tier}` : rule, message });
  }
}

/** A run sees no more of the disk than its tools can use. */
function filesystemFor(tools: readonly string[], most: Filesystem): Filesystem {
  if (tools.length === 0) return 'none';
  if (most === 'write' && tools.some((tool) => WRITING_TOOLS.includes(tool))) return 'write';
  return most === 'none' ? 'none' : 'read';
}
