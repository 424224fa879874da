import { Module } from '@nestjs/common';
import { AuditLog } from './audit-log.service.js';
import { AuditRepository } from './audit.repository.js';
import { ChainReader } from './chain/chain-reader.js';
import { CheckpointsRepository } from './chain/checkpoints.repository.js';
import { Checkpoints } from './chain/checkpoints.service.js';
import { AuditExport } from './export/audit-export.service.js';

/** Needs the database, the configuration and the clock, which are global. */
@Module({
  providers: [AuditLog, AuditRepository, AuditExport, ChainReader, Checkpoints, CheckpointsRepository],
  exports: [AuditLog, AuditExport, ChainReader, Checkpoints],
})
export class AuditModule {}
