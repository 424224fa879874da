import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AuditRetention } from './audit-retention.service.js';
import { Checkpoints } from './chain/checkpoints.service.js';

const SIGN_EVERY_MS = 60_000;
const KEEP_EVERY_MS = 6 * 60 * 60_000;

/**
 * What the audit needs from time to time, in whichever process is up: signatures, months to write into, and the
 * end of old ones. Each step can be done by several processes at once, and a failed one is tried again.
 */
@Injectable()
export class AuditUpkeep implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AuditUpkeep.name);
  private readonly timers: NodeJS.Timeout[] = [];
  private running: Promise<void> | undefined;

  constructor(
    private readonly retention: AuditRetention,
    private readonly checkpoints: Checkpoints,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.retention.makeAhead();
    this.timers.push(
      setInterval(() => this.do(() => this.checkpoints.signDue()), SIGN_EVERY_MS).unref(),
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
      .catch((error) => this.logger.warn(`the audit's upkeep failed: ${(error as Error).message}`))
      .finally(() => (this.running = undefined));
  }
}
