import { type Tier, Tiers } from '@app/permissions';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

export function allTiers(interactive: boolean): Answer {
  const data = new Tiers().list().map(shapeOf);
  const head = ['tier', 'tools', 'agents', 'skills', 'timeout', 'cost per run', 'at once', 'per minute'];
  const rows = data.map((tier) => [
    tier.name,
    tier.tools === 'all' ? 'all' : tier.tools.join(' '),
    tier.agents,
    tier.skills,
    `${tier.max_timeout_seconds} s`,
    `$${tier.max_cost_usd}`,
    tier.concurrent_runs,
    tier.requests_per_minute,
  ]);
  return { json: { data, has_more: false, next_cursor: null }, text: table(head, rows, interactive) };
}

/** Throws `not_found` with the names that there are. */
export function oneTier(name: string): Answer {
  const json = shapeOf(new Tiers().get(name));
  return { json, text: fields(json) };
}

function shapeOf(tier: Tier) {
  return {
    name: tier.name,
    tools: tier.tools,
    agents: tier.agents,
    skills: tier.skills,
    models: tier.models,
    default_timeout_seconds: tier.defaultTimeoutSeconds,
    max_timeout_seconds: tier.maxTimeoutSeconds,
    max_cost_usd: tier.maxCostUsd,
    concurrent_runs: tier.concurrentRuns,
    requests_per_minute: tier.requestsPerMinute,
    network: tier.network,
    filesystem: tier.filesystem,
    workspace_bytes: tier.workspaceBytes,
  };
}
