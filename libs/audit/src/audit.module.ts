import { Module } from '@nestjs/common';
import { AuditLog } from './audit-log.service.js';
import { AuditRepository } from './audit.repository.js';

/** Needs the database, the configuration and the clock, which are global. */
@Module({ providers: [AuditLog, AuditRepository], exports: [AuditLog] })
export class AuditModule {}
