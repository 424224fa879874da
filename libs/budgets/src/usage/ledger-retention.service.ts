import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { type PartitionedTable, Partitions } from '@app/database';

const DAY_MS = 86_400_000;
const MONTHLY = { every: 'month', ahead: 3 } as const;

/** Sums first: they are there no longer than what they can be computed from. Usage goes before its runs. */
const TABLES: PartitionedTable[] = [
  { ...MONTHLY, table: 'usage_rollups', defaultBy: 'bucket' },
  { ...MONTHLY, table: 'run_usage', defaultBy: 'run_id', ids: 'run' },
  { ...MONTHLY, table: 'runs', defaultBy: 'id', ids: 'run' },
];

/**
 * Drops months of the ledger, with their sums, when every run in them is older than it is kept. Never a DELETE: the
 * space is free again at once.
 */
@Injectable()
export class LedgerRetention {
  private readonly logger = new Logger(LedgerRetention.name);

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly partitions: Partitions,
  ) {}

  async makeAhead(): Promise<void> {
    for (const table of TABLES) await this.partitions.makeAhead(table, this.clock.now());
  }

  async dropOld(): Promise<void> {
    const limit = new Date(this.clock.now().getTime() - this.config.ledgerRetentionDays * DAY_MS);
    for (const table of TABLES) {
      for (const month of await this.partitions.before(limit, table)) {
        await this.partitions.drop(month);
        this.logger.log({ msg: 'an old month of the ledger dropped', partition: month.name });
      }
    }
  }
}
