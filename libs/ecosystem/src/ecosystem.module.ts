import { Module } from '@nestjs/common';
import { Ecosystem } from './ecosystem.service.js';
import { SkillStore } from './skill-store.js';

@Module({ providers: [Ecosystem, SkillStore], exports: [Ecosystem] })
export class EcosystemModule {}
