/** What a caller may ask for, as `resource:verb`. Administration scopes belong to operator keys only. */
export const INFERENCE_SCOPES = [
  'completions:create',
  'models:read',
  'tasks:create',
  'tasks:read',
  'tasks:cancel',
  'self:read',
] as const;
export const ADMIN_SCOPES = [
  'keys:read',
  'keys:write',
  'projects:read',
  'projects:write',
  'tiers:read',
  'tiers:write',
  'usage:read',
  'metrics:read',
  'audit:read',
  'budgets:read',
  'budgets:write',
  'pool:read',
  'self:read',
] as const;
export type Scope = (typeof INFERENCE_SCOPES)[number] | (typeof ADMIN_SCOPES)[number];

/** What one key is given beyond, or below, its tier. `null` = as the tier says. */
export interface KeyGrants {
  agents: string[];
  skills: string[];
  models: string[] | null;
  requestsPerMinute: number | null;
}

/**
 * Who is asking, verified. Made by auth from a key, or by the CLI for whoever can read the home folder
 * (`kind: 'operator'`); everything behind the guards takes it as its first argument.
 */
export interface Principal {
  kind: 'key' | 'operator';
  project: string;
  keyId: string;
  epoch: number;
  tier: string;
  scopes: ReadonlySet<Scope>;
  grants: KeyGrants;
}

/** The installation's own project: its administration keys manage every project, others only their own. */
export const OPERATOR_PROJECT = 'operator';

/** The one project that this caller manages; undefined = all of them. */
export function reachOf(principal: Principal): string | undefined {
  return principal.project === OPERATOR_PROJECT ? undefined : principal.project;
}
