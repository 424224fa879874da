export { ArtifactStore } from './artifacts/artifact-store.js';
export { ArtifactsRepository } from './artifacts/artifacts.repository.js';
export { Workspaces } from './workspaces/workspaces.service.js';
export { WorkspacesModule } from './workspaces/workspaces.module.js';
