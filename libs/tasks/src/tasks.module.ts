import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { PolicyModule, RunsModule } from '@app/runs';
import { ArtifactsModule } from './artifacts/artifacts.module.js';
import { TaskEvents } from './feed/task-events.js';
import { TaskSubmission } from './submission/task-submission.js';
import { TaskCancels } from './task-cancels.js';
import { TaskStoreModule } from './task-store.module.js';
import { TaskViewsModule } from './task-views.module.js';
import { TasksController } from './tasks.controller.js';

const SHARED = [TaskCancels, TaskEvents, TaskSubmission];

/** The routes of tasks: they take and show them, and start nothing. */
@Module({
  imports: [ArtifactsModule, AuditModule, PolicyModule, RunsModule, TaskStoreModule, TaskViewsModule],
  controllers: [TasksController],
  providers: SHARED,
  exports: [...SHARED, TaskViewsModule],
})
export class TasksModule {}
