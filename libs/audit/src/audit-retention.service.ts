import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { type Partition, type PartitionedTable, Partitions, Transactions } from '@app/database';
import { AuditRepository } from './audit.repository.js';
import type { Checkpoint } from './chain/checkpoint.js';
import { Checkpoints } from './chain/checkpoints.service.js';

const DAY_MS = 86_400_000;
const EVENTS: PartitionedTable = {
  table: 'audit_events',
  every: 'month',
  ahead: 3,
  guard: 'guard_audit_table',
};

/**
 * Drops months of events that are older than they are kept, each chain signed up to there, so that what is left
 * can still be verified. A month with events of a chain that is not as it was written is kept: it is evidence.
 */
@Injectable()
export class AuditRetention {
  private readonly logger = new Logger(AuditRetention.name);

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly transactions: Transactions,
    private readonly partitions: Partitions,
    private readonly records: AuditRepository,
    private readonly checkpoints: Checkpoints,
  ) {}

  async makeAhead(): Promise<void> {
    await this.partitions.makeAhead(EVENTS, this.clock.now());
  }

  /** From the oldest on, up to the first that has to be kept. */
  async dropOld(): Promise<void> {
    const limit = new Date(this.clock.now().getTime() - this.config.auditRetentionDays * DAY_MS);
    for (const month of await this.partitions.before(limit, EVENTS)) {
      const signed = await this.signUpTo(month);
      if (!signed) return;
      await this.transactions.run(async () => {
        for (const checkpoint of signed) await this.checkpoints.keep(checkpoint);
        await this.partitions.drop(month);
      });
      signed.forEach((checkpoint) => this.checkpoints.announce(checkpoint));
      this.logger.log({ msg: 'old audit events dropped', partition: month.name, chains: signed.length });
    }
  }

  private async signUpTo({ name }: Partition): Promise<Checkpoint[] | undefined> {
    const signed: Checkpoint[] = [];
    for (const { project, seq } of await this.records.lastOfEach(name)) {
      const checkpoint = await this.checkpoints.cut(project, seq);
      if (!checkpoint) {
        this.logger.error({ msg: 'old audit events are kept: a chain is broken', partition: name, project });
        return undefined;
      }
      signed.push(checkpoint);
    }
    return signed;
  }
}
