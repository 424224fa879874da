import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '@app/audit';
import { PermissionsModule } from '@app/permissions';
import { ApiKey, ApiKeySecret } from './api-key.entity.js';
import { AuthFailures } from './auth-failures.js';
import { AuthGuard } from './auth.guard.js';
import { Bootstrap } from './bootstrap.js';
import { Callers } from './callers.service.js';
import { KeyChanges } from './key-changes.js';
import { KeyJournal } from './key-journal.js';
import { KeySecrets } from './key-secrets.js';
import { KeyVerifier } from './key-verifier.js';
import { KeysController } from './keys.controller.js';
import { KeysRepository } from './keys.repository.js';
import { KeysService } from './keys.service.js';
import { LastUsed } from './last-used.js';

const SHARED = [AuthGuard, Bootstrap, Callers, KeyChanges, KeysService, KeyVerifier];

@Module({
  imports: [TypeOrmModule.forFeature([ApiKey, ApiKeySecret]), AuditModule, PermissionsModule],
  controllers: [KeysController],
  providers: [...SHARED, AuthFailures, KeyJournal, KeySecrets, KeysRepository, LastUsed],
  exports: SHARED,
})
export class AuthModule {}
