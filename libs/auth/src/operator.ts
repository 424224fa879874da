import { ADMIN_SCOPES, INFERENCE_SCOPES, type Principal } from '@app/common';

/** The installation's own project: its administration keys manage every project, others only their own. */
export const OPERATOR_PROJECT = 'operator';

/** Whoever can read the home folder: the CLI and the start of the server. Has no key, so it runs no model. */
export function operatorPrincipal(): Principal {
  return {
    kind: 'operator',
    project: OPERATOR_PROJECT,
    keyId: 'operator',
    epoch: 0,
    tier: 'enterprise',
    scopes: new Set([...ADMIN_SCOPES, ...INFERENCE_SCOPES]),
    grants: { agents: [], skills: [], models: null, requestsPerMinute: null },
  };
}

/** The one project whose keys this caller manages; undefined = all of them. */
export function reachOf(principal: Principal): string | undefined {
  return principal.project === OPERATOR_PROJECT ? undefined : principal.project;
}
