import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Upkeep } from '@app/common';
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
  private readonly upkeep = new Upkeep(new Logger(AuditUpkeep.name), "the audit's upkeep");

  constructor(
    private readonly retention: AuditRetention,
    private readonly checkpoints: Checkpoints,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.retention.makeAhead();
    this.upkeep.every(SIGN_EVERY_MS, () => this.checkpoints.signDue());
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
