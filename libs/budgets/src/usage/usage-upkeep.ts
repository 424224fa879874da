import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Upkeep } from '@app/common';
import { LedgerRetention } from './ledger-retention.service.js';
import { UsageRollups } from './usage-rollups.service.js';

const ROLL_UP_EVERY_MS = 60_000;
const KEEP_EVERY_MS = 6 * 60 * 60_000;

/**
 * What the ledger needs from time to time, in whichever process is up: sums, months to write into, and the end of
 * old ones. Nothing waits for it: what is not added up yet is read from the ledger, and what has no month yet falls
 * into the default partition. A failed step is tried again.
 */
@Injectable()
export class UsageUpkeep implements OnModuleInit, OnModuleDestroy {
  private readonly upkeep = new Upkeep(new Logger(UsageUpkeep.name), "the ledger's upkeep");

  constructor(
    private readonly retention: LedgerRetention,
    private readonly rollups: UsageRollups,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.upkeep.do(() => this.retention.makeAhead());
    this.upkeep.every(ROLL_UP_EVERY_MS, () => this.rollups.rollUp());
    this.upkeep.every(KEEP_EVERY_MS, () => this.keep());
  }

  async onModuleDestroy(): Promise<void> {
    await this.upkeep.stop();
  }

  private async keep(): Promise<void> {
    await this.retention.makeAhead();
    await this.retention.dropOld();
  }
}
