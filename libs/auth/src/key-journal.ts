import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import type { Principal } from '@app/common';
import { Notifications } from '@app/database';
import type { ApiKey } from './api-key.entity.js';
import { AUTH_CHANNEL } from './key-changes.js';
import { KeysRepository } from './keys.repository.js';

type KeyEvent = 'key.created' | 'key.updated' | 'key.rotated' | 'key.revoked';

/**
 * Leaves the traces of a change in the transaction that makes it: the key's next epoch, an audit event and
 * word to every process. A change that commits without them would not be seen by any cache.
 */
@Injectable()
export class KeyJournal {
  constructor(
    private readonly keys: KeysRepository,
    private readonly audit: AuditLog,
    private readonly notifications: Notifications,
  ) {}

  async record(by: Principal, type: KeyEvent, key: ApiKey, diff?: Record<string, unknown>): Promise<void> {
    await this.audit.append({
      type,
      project: key.project,
      actor: { kind: by.kind, id: by.keyId },
      target: { kind: 'key', id: key.id },
      outcome: 'ok',
      diff,
    });
    // Last: from here to the commit all changes of the installation wait for this one.
    await this.keys.stamp(key.id);
    await this.notifications.notify(AUTH_CHANNEL, key.id);
  }
}
