import { Module } from '@nestjs/common';
import { ArtifactsModule } from './artifacts/artifacts.module.js';
import { TaskEventsRepository } from './store/task-events.repository.js';
import { TasksRepository } from './store/tasks.repository.js';
import { TaskViews } from './task-views.js';

const VIEWS = [TaskEventsRepository, TasksRepository, TaskViews];

/** Tasks to look at: what the command line needs beside a server, without a part that runs anything. */
@Module({ imports: [ArtifactsModule], providers: VIEWS, exports: VIEWS })
export class TaskViewsModule {}
