import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
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
  private readonly logger = new Logger(UsageUpkeep.name);
  private readonly timers: NodeJS.Timeout[] = [];
  private running: Promise<void> | undefined;

  constructor(
    private readonly retention: LedgerRetention,
    private readonly rollups: UsageRollups,
  ) {}

  async onModuleInit(): Promise<void> {
    this.do(() => this.retention.makeAhead());
    await this.running;
    this.timers.push(
      setInterval(() => this.do(() => this.rollups.rollUp()), ROLL_UP_EVERY_MS).unref(),
      setInterval(() => this.do(() => this.keep()), KEEP_EVERY_MS).unref(),
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.timers.forEach((timer) => clearInterval(timer));
    await this.running;
  }

  private async keep(): Promise<void> {
    await this.retention.makeAhead();
    await this.retention.dropOld();
  }

  /** One step at a time; a step that takes long lets others fall out. */
  private do(step: () => Promise<void>): void {
    this.running ??= step()
      .catch((error) => this.logger.warn(`the ledger's upkeep failed: ${(error as Error).message}`))
      .finally(() => (this.running = undefined));
  }
}
