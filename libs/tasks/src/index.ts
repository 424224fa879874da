export { ArtifactStore } from './artifacts/artifact-store.js';
export { ArtifactsRepository } from './artifacts/artifacts.repository.js';
export type { TaskDto, TaskListDto } from './dto/task.dto.js';
export { TaskViews } from './task-views.js';
export { TaskViewsModule } from './task-views.module.js';
export { TaskWorkerModule } from './task-worker.module.js';
export { TasksModule } from './tasks.module.js';
export { Workspaces } from './workspaces/workspaces.service.js';
export { WorkspacesModule } from './workspaces/workspaces.module.js';
