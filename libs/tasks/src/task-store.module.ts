import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { PermissionsModule } from '@app/permissions';
import { RunsModule } from '@app/runs';
import { ArtifactsModule } from './artifacts/artifacts.module.js';
import { ClaimsRepository } from './store/claims.repository.js';
import { TaskEndings } from './store/task-endings.js';
import { TaskQueue } from './store/task-queue.js';
import { TaskViewsModule } from './task-views.module.js';

const SHARED = [ClaimsRepository, TaskEndings, TaskQueue];

/** What the routes and the worker both write: it meets in the database, never in memory. */
@Module({
  imports: [ArtifactsModule, AuditModule, PermissionsModule, RunsModule, TaskViewsModule],
  providers: SHARED,
  exports: [...SHARED, TaskViewsModule],
})
export class TaskStoreModule {}
