export { ArtifactStore } from './artifacts/artifact-store.js';
export { ArtifactsRepository } from './artifacts/artifacts.repository.js';
export { TaskWorkerModule } from './task-worker.module.js';
export { TasksModule } from './tasks.module.js';
export { Workspaces } from './workspaces/workspaces.service.js';
export { WorkspacesModule } from './workspaces/workspaces.module.js';
