import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import type { Principal } from '@app/common';
import type { ApiKey } from './api-key.entity.js';
import { KeyEpochs } from './key-epochs.js';

type KeyEvent = 'key.created' | 'key.updated' | 'key.rotated' | 'key.revoked';

/**
 * Leaves the traces of a change in the transaction that makes it: the key's next epoch, an audit event and
 * word to every process. A change that commits without them would not be seen by any cache.
 */
@Injectable()
export class KeyJournal {
  constructor(
    private readonly epochs: KeyEpochs,
    private readonly audit: AuditLog,
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
    await this.epochs.raise({ id: key.id });
  }
}
