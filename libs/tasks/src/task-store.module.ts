import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { PermissionsModule } from '@app/permissions';
import { RunsModule } from '@app/runs';
import { ArtifactsModule } from './artifacts/artifacts.module.js';
import { ClaimsRepository } from './store/claims.repository.js';
import { TaskEndings } from './store/task-endings.js';
import { TaskEventsRepository } from './store/task-events.repository.js';
import { TaskQueue } from './store/task-queue.js';
import { TasksRepository } from './store/tasks.repository.js';

const SHARED = [ClaimsRepository, TaskEndings, TaskEventsRepository, TaskQueue, TasksRepository];

/** What the routes and the worker both write: it meets in the database, never in memory. */
@Module({
  imports: [ArtifactsModule, AuditModule, PermissionsModule, RunsModule],
  providers: SHARED,
  exports: SHARED,
})
export class TaskStoreModule {}
