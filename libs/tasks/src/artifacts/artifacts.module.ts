import { Module } from '@nestjs/common';
import { ArtifactStore } from './artifact-store.js';
import { ArtifactsController } from './artifacts.controller.js';
import { ArtifactsRepository } from './artifacts.repository.js';
import { ArtifactsService } from './artifacts.service.js';

@Module({
  controllers: [ArtifactsController],
  providers: [ArtifactStore, ArtifactsRepository, ArtifactsService],
  exports: [ArtifactStore, ArtifactsRepository],
})
export class ArtifactsModule {}
