import { Module } from '@nestjs/common';
import { AuditEventsRepository } from './audit-events.repository.js';
import { AuditLog } from './audit-log.service.js';
import { AuditQuery } from './audit-query.service.js';
import { AuditRetention } from './audit-retention.service.js';
import { AuditUpkeep } from './audit-upkeep.js';
import { AuditVerification } from './audit-verification.service.js';
import { AuditController } from './audit.controller.js';
import { AuditRepository } from './audit.repository.js';
import { ChainReader } from './chain/chain-reader.js';
import { CheckpointsRepository } from './chain/checkpoints.repository.js';
import { Checkpoints } from './chain/checkpoints.service.js';
import { AuditExport } from './export/audit-export.service.js';

const SHARED = [AuditLog, AuditExport, AuditQuery, AuditVerification, ChainReader, Checkpoints];

/** Needs the database, the configuration and the clock, which are global. */
@Module({
  controllers: [AuditController],
  providers: [
    ...SHARED,
    AuditEventsRepository,
    AuditRepository,
    AuditRetention,
    AuditUpkeep,
    CheckpointsRepository,
  ],
  exports: SHARED,
})
export class AuditModule {}
