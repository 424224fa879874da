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
import { KeyEpochs } from './key-epochs.js';
import { KeyJournal } from './key-journal.js';
import { KeySecrets } from './key-secrets.js';
import { KeyVerifier } from './key-verifier.js';
import { KeysController } from './keys.controller.js';
import { KeysRepository } from './keys.repository.js';
import { KeysService } from './keys.service.js';
import { LastUsed } from './last-used.js';
import { Project } from './project.entity.js';
import { ProjectsController } from './projects.controller.js';
import { ProjectsRepository } from './projects.repository.js';
import { ProjectsService } from './projects.service.js';
import { FailedKeys } from './strangers/failed-keys.js';
import { StrangerCounts } from './strangers/stranger-counts.js';
import { StrangersGuard } from './strangers/strangers.guard.js';

const SHARED = [
  AuthGuard,
  Bootstrap,
  Callers,
  KeyChanges,
  KeyEpochs,
  KeysService,
  KeyVerifier,
  ProjectsService,
  StrangersGuard,
];

@Module({
  imports: [TypeOrmModule.forFeature([ApiKey, ApiKeySecret, Project]), AuditModule, PermissionsModule],
  controllers: [KeysController, ProjectsController],
  providers: [
    ...SHARED,
    AuthFailures,
    FailedKeys,
    KeyJournal,
    KeySecrets,
    KeysRepository,
    LastUsed,
    ProjectsRepository,
    StrangerCounts,
  ],
  exports: SHARED,
})
export class AuthModule {}
