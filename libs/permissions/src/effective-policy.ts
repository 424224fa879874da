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
  const refusals: Refusal[] = [];
  const byTier = { rule: `tier:${tier.name}`, owner: `the tier ${tier.name}` };
  const byKey = { rule: 'key', owner: 'this key' };

  const narrow = (
    kind: string,
    allowed: Allowed,
    wanted: readonly string[] | undefined,
    by: Rule,
  ): Allowed => {
    if (wanted === undefined) return allowed;
    const permitted = wanted.filter((name) => allowed === 'all' || allowed.includes(name));
    for (const name of wanted) {
      if (!permitted.includes(name)) refusals.push(refuse(`${kind}:${name}`, `the ${kind} ${name}`, by));
    }
    return [...new Set(permitted)];
  };
  const cap = (item: string, most: number, fallback: number, wanted: number | undefined): number => {
    if (wanted === undefined || wanted <= most) return wanted ?? fallback;
    refusals.push({ item, rule: byTier.rule, message: `${byTier.owner} allows ${item} up to ${most}` });
    return most;
  };

  const models = tier.models.filter((family) => key.models === null || key.models.includes(family));
  const family = modelFamily(ask.model);
  if ((family && !models.includes(family)) || (ask.model === 'auto' && models.length === 0)) {
    const tierHasIt = family !== undefined && tier.models.includes(family);
    refusals.push(refuse(`model:${ask.model}`, `the model ${ask.model}`, tierHasIt ? byKey : byTier));
  }

  const ruleOf = (reach: Reach): Rule => (reach === 'none' ? byTier : byKey);
  const tools = narrow('tool', tier.tools === 'all' ? 'all' : [...tier.tools], ask.tools, byTier);
  return {
    policy: {
      tools,
      agents: narrow('agent', reached(tier.agents, key.agents), ask.agents, ruleOf(tier.agents)),
      skills: narrow('skill', reached(tier.skills, key.skills), ask.skills, ruleOf(tier.skills)),
      models,
      timeoutSeconds: cap(
        'timeout_seconds',
        tier.maxTimeoutSeconds,
        tier.defaultTimeoutSeconds,
        ask.timeoutSeconds,
      ),
      maxCostUsd: cap('max_cost_usd', tier.maxCostUsd, tier.maxCostUsd, ask.maxCostUsd),
      concurrentRuns: tier.concurrentRuns,
      requestsPerMinute: Math.min(tier.requestsPerMinute, key.requestsPerMinute ?? Infinity),
      network: tier.network,
      filesystem: filesystemFor(tools, tier.filesystem),
    },
    refusals,
  };
}

interface Rule {
  rule: string;
  owner: string;
}

function refuse(item: string, what: string, by: Rule): Refusal {
  return { item, rule: by.rule, message: `${by.owner} does not allow ${what}` };
}

/** A key's list is what opens anything in a `granted` tier, and narrows an `all` tier once it names something. */
function reached(reach: Reach, granted: readonly string[]): Allowed {
  if (reach === 'none') return [];
  return reach === 'all' && granted.length === 0 ? 'all' : [...granted];
}

/** A run sees no more of the disk than its tools can use. */
function filesystemFor(tools: Allowed, most: Filesystem): Filesystem {
  if (tools !== 'all' && tools.length === 0) return 'none';
  if (most === 'write' && (tools === 'all' || tools.some((tool) => WRITING_TOOLS.includes(tool))))
    return 'write';
  return most === 'none' ? 'none' : 'read';
}
