import { ADMIN_SCOPES, INFERENCE_SCOPES, OPERATOR_PROJECT, type Principal } from '@app/common';

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
