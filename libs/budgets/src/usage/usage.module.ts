import { Module } from '@nestjs/common';
import { LedgerRetention } from './ledger-retention.service.js';
import { ManagedUsageController } from './managed-usage.controller.js';
import { UsageExportRepository } from './usage-export.repository.js';
import { UsageExport } from './usage-export.service.js';
import { UsageRangeRepository } from './usage-range.repository.js';
import { UsageRanges } from './usage-ranges.js';
import { UsageRollupsRepository } from './usage-rollups.repository.js';
import { UsageRollups } from './usage-rollups.service.js';
import { UsageUpkeep } from './usage-upkeep.js';
import { UsageRepository } from './usage.repository.js';
import { Usage } from './usage.service.js';

const SHARED = [LedgerRetention, Usage, UsageExport, UsageRollups];

/** What the ledger adds up to, and how long it is kept. */
@Module({
  controllers: [ManagedUsageController],
  providers: [
    ...SHARED,
    UsageExportRepository,
    UsageRangeRepository,
    UsageRanges,
    UsageRepository,
    UsageRollupsRepository,
    UsageUpkeep,
  ],
  exports: SHARED,
})
export class UsageModule {}
