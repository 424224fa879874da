import { AppError, MODEL_FAMILIES } from '@app/common';
import { type Entitlements, FILESYSTEMS, REACHES } from './tier.js';

/** What shall be different. Left out = as it is. */
export type TierChanges = { [K in keyof Entitlements]?: Entitlements[K] };

const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const MEGABYTE = 1_000_000;

type Problem = string | undefined;
const MEANINGS: { [K in keyof Entitlements]: { param: string; problem(value: Entitlements[K]): Problem } } = {
  tools: { param: 'tools', problem: (tools) => (tools === 'all' ? undefined : twice(tools)) },
  agents: { param: 'agents', problem: oneOf(REACHES) },
  skills: { param: 'skills', problem: oneOf(REACHES) },
  models: { param: 'models', problem: (models) => (models.length === 0 ? MODELS : someOf(models)) },
  defaultTimeoutSeconds: { param: 'default_timeout_seconds', problem: whole(1, 3600) },
  maxTimeoutSeconds: { param: 'max_timeout_seconds', problem: whole(1, 3600) },
  maxCostUsd: {
    param: 'max_cost_usd',
    problem: (usd) => (usd >= 0.0001 && usd <= 10_000 ? undefined : 'must be a number from 0.0001 to 10000'),
  },
  concurrentRuns: { param: 'concurrent_runs', problem: whole(1, 1000) },
  requestsPerMinute: { param: 'requests_per_minute', problem: whole(1, 1_000_000) },
  filesystem: { param: 'filesystem', problem: oneOf(FILESYSTEMS) },
  workspaceBytes: { param: 'workspace_bytes', problem: whole(MEGABYTE, 1_000_000 * MEGABYTE) },
};
const MODELS = `must name at least one of ${MODEL_FAMILIES.join(', ')}`;

/** Throws `invalid_request` for a name that no tier can have. */
export function checkTierName(name: string): void {
  if (NAME_PATTERN.test(name)) return;
  const rule = 'must be 1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first';
  throw invalid('name', rule);
}

/**
 * The entitlements with the changes in them. Throws `invalid_request`, naming the first field that cannot be as
 * it is wanted. A default timeout that nobody asked for follows a lower maximum.
 */
export function changed(before: Entitlements, changes: TierChanges): Entitlements {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  for (const [field, value] of given) {
    const { param, problem } = MEANINGS[field as keyof Entitlements];
    const found = problem(value as never);
    if (found) throw invalid(param, found);
  }
  const after: Entitlements = { ...before, ...Object.fromEntries(given) };
  if (after.defaultTimeoutSeconds <= after.maxTimeoutSeconds) return after;
  if (changes.defaultTimeoutSeconds === undefined) {
    return { ...after, defaultTimeoutSeconds: after.maxTimeoutSeconds };
  }
  throw invalid(
    'default_timeout_seconds',
    `may not be over max_timeout_seconds (${after.maxTimeoutSeconds})`,
  );
}

/** A tier's entitlements alone, whatever else the object has. */
export function entitlementsOf(tier: Entitlements): Entitlements {
  const fields = Object.keys(MEANINGS) as (keyof Entitlements)[];
  return Object.fromEntries(fields.map((field) => [field, tier[field]])) as unknown as Entitlements;
}

function invalid(param: string, problem: string): AppError {
  return new AppError('invalid_request', `${param} ${problem}`, { param });
}

function oneOf(words: readonly string[]): (value: string) => Problem {
  return (value) => (words.includes(value) ? undefined : `must be one of ${words.join(', ')}`);
}

function someOf(models: readonly string[]): Problem {
  return models.every((model) => MODEL_FAMILIES.some((family) => family === model)) ? twice(models) : MODELS;
}

function twice(names: readonly string[]): Problem {
  return new Set(names).size === names.length ? undefined : 'names something twice';
}

function whole(least: number, most: number): (value: number) => Problem {
  const rule = `must be a whole number from ${least} to ${most}`;
  return (value) => (Number.isInteger(value) && value >= least && value <= most ? undefined : rule);
}
