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

type Allowed = string[] | 'all';

/** What one run may do: never more than its tier, its key or its request allows. */
export interface EffectivePolicy {
  tools: Allowed;
  agents: Allowed;
  skills: Allowed;
  models: ModelFamily[];
  timeoutSeconds: number;
  maxCostUsd: number;
  concurrentRuns: number;
  requestsPerMinute: number;
  network: 'none';
  filesystem: Filesystem;
}

/** One thing that was asked for and is not allowed: `tool:Bash`, by the rule `tier:free`. */
export interface Refusal {
  item: string;
  rule: string;
  message: string;
}

const WRITING_TOOLS = ['Write', 'Edit', 'Bash', 'NotebookEdit'];

/**
 * Narrows tier, key and request to one policy and names everything asked for that they do not allow. Pure.
 * Whether a name exists (a model, a tool, an agent) is not decided here.
 */
export function effectivePolicy(
  tier: Tier,
  key: KeyGrants,
  ask: PolicyAsk,
): { policy: EffectivePolicy; refusals: Refusal[] } {
  const narrowing = new Narrowing(tier);
  const tools = narrowing.tools(ask.tools);
  const policy: EffectivePolicy = {
    tools,
    agents: narrowing.reach('agent', tier.agents, key.agents, ask.agents),
    skills: narrowing.reach('skill', tier.skills, key.skills, ask.skills),
    models: narrowing.models(key.models, ask.model),
    timeoutSeconds:
      narrowing.cap('timeout_seconds', tier.maxTimeoutSeconds, ask.timeoutSeconds) ??
      tier.defaultTimeoutSeconds,
    maxCostUsd: narrowing.cap('max_cost_usd', tier.maxCostUsd, ask.maxCostUsd) ?? tier.maxCostUsd,
    concurrentRuns: tier.concurrentRuns,
    requestsPerMinute: Math.min(tier.requestsPerMinute, key.requestsPerMinute ?? Infinity),
    network: tier.network,
    filesystem: filesystemFor(tools, tier.filesystem),
  };
  return { policy, refusals: narrowing.refusals };
}

type Refuser = 'tier' | 'key';

/** Takes one thing after another down to what is allowed, and remembers what that cost the request. */
class Narrowing {
  readonly refusals: Refusal[] = [];

  constructor(private readonly tier: Tier) {}

  tools(wanted: readonly string[] | undefined): Allowed {
    const allowed = this.tier.tools === 'all' ? 'all' : [...this.tier.tools];
    return this.list('tool', allowed, wanted, 'tier');
  }

  /** A key's list is what opens anything in a `granted` tier, and narrows an `all` tier once it names something. */
  reach(
    kind: string,
    reach: Reach,
    granted: readonly string[],
    wanted: readonly string[] | undefined,
  ): Allowed {
    if (reach === 'none') return this.list(kind, [], wanted, 'tier');
    const allowed = reach === 'all' && granted.length === 0 ? 'all' : [...granted];
    return this.list(kind, allowed, wanted, 'key');
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

  private list(kind: string, allowed: Allowed, wanted: readonly string[] | undefined, by: Refuser): Allowed {
    if (wanted === undefined) return allowed;
    const names = new Set(wanted);
    for (const name of names) {
      if (allowed === 'all' || allowed.includes(name)) continue;
      names.delete(name);
      this.refuse(kind, name, by);
    }
    return [...names];
  }

  private refuse(kind: string, name: string, by: Refuser): void {
    const [rule, owner] =
      by === 'key' ? ['key', 'this key'] : [`tier:${this.tier.name}`, `the tier ${this.tier.name}`];
    this.refusals.push({
      item: `${kind}:${name}`,
      rule,
      message: `${owner} does not allow the ${kind} ${name}`,
    });
  }
}

/** A run sees no more of the disk than its tools can use. */
function filesystemFor(tools: Allowed, most: Filesystem): Filesystem {
  if (tools !== 'all' && tools.length === 0) return 'none';
  if (most === 'write' && (tools === 'all' || tools.some((tool) => WRITING_TOOLS.includes(tool))))
    return 'write';
  return most === 'none' ? 'none' : 'read';
}
