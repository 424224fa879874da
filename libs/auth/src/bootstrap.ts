import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { OPERATOR_PROJECT } from '@app/common';
import { Transactions } from '@app/database';
import { KeysRepository } from './keys.repository.js';
import { KeysService } from './keys.service.js';
import { operatorPrincipal } from './operator.js';

/**
 * Makes the first administration key of an installation: exactly one, however many processes start at once.
 * An admin key that ever existed, revoked or not, ends this for good; the CLI makes further ones.
 */
@Injectable()
export class Bootstrap {
  constructor(
    private readonly transactions: Transactions,
    private readonly keys: KeysRepository,
    private readonly service: KeysService,
    private readonly audit: AuditLog,
  ) {}

  /** The key, this once; null when there already is an administrator. */
  async ensureAdmin(): Promise<{ key: string } | null> {
    return this.transactions.run(async () => {
      await this.keys.lockBootstrap();
      if (await this.keys.adminExists()) return null;
      const made = await this.service.create(operatorPrincipal(), {
        admin: true,
        name: 'first administrator',
      });
      await this.audit.append({
        type: 'admin.bootstrapped',
        project: OPERATOR_PROJECT,
        actor: { kind: 'system', id: 'bootstrap' },
        target: { kind: 'key', id: made.id },
        outcome: 'ok',
      });
      return { key: made.key };
    });
  }
}
