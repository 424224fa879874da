import { Module } from '@nestjs/common';
import { AuditLog } from './audit-log.service.js';
import { AuditRepository } from './audit.repository.js';
import { ChainReader } from './chain-reader.js';
import { CheckpointsRepository } from './checkpoints.repository.js';
import { Checkpoints } from './checkpoints.service.js';

/** Needs the database, the configuration and the clock, which are global. */
@Module({
  providers: [AuditLog, AuditRepository, ChainReader, Checkpoints, CheckpointsRepository],
  exports: [AuditLog, ChainReader, Checkpoints],
})
export class AuditModule {}
