import type { Principal } from '@app/common';
import type { ApiKey } from './api-key.entity.js';

/** Shared by many requests, so nobody can change it. */
export function principalOf({ id, project, epoch, tier, scopes, grants }: ApiKey): Principal {
  Object.values(grants).forEach(Object.freeze);
  return Object.freeze({
    kind: 'key',
    project,
    keyId: id,
    epoch,
    tier,
    scopes,
    grants: Object.freeze(grants),
  });
}
