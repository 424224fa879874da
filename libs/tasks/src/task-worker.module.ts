import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { AuthModule } from '@app/auth';
import { PermissionsModule } from '@app/permissions';
import { RunsModule } from '@app/runs';
import { OldTasksRepository } from './store/old-tasks.repository.js';
import { TaskStoreModule } from './task-store.module.js';
import { Dispatcher } from './worker/dispatcher.js';
import { EndedKeys } from './worker/ended-keys.js';
import { EventLog } from './worker/event-log.js';
import { HeldTasks } from './worker/held-tasks.js';
import { LostTasks } from './worker/lost-tasks.js';
import { TaskRetention } from './worker/task-retention.js';
import { TaskRunner } from './worker/task-runner.js';
import { Turns } from './worker/turns.js';
import { WorkspacesModule } from './workspaces/workspaces.module.js';

/** Does the tasks that wait. Any number of processes may; one of them is the API's own unless `ROLE` says otherwise. */
@Module({
  imports: [AuditModule, AuthModule, PermissionsModule, RunsModule, TaskStoreModule, WorkspacesModule],
  providers: [
    Dispatcher,
    EndedKeys,
    EventLog,
    HeldTasks,
    LostTasks,
    OldTasksRepository,
    TaskRetention,
    TaskRunner,
    Turns,
  ],
})
export class TaskWorkerModule {}
