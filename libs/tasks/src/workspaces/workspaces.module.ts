import { Module } from '@nestjs/common';
import { ArtifactsModule } from '../artifacts/artifacts.module.js';
import { Workspaces } from './workspaces.service.js';

@Module({ imports: [ArtifactsModule], providers: [Workspaces], exports: [Workspaces] })
export class WorkspacesModule {}
