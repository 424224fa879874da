import { Module } from '@nestjs/common';
import { PermissionsGuard } from './permissions.guard.js';
import { Tiers } from './tiers.js';

@Module({ providers: [Tiers, PermissionsGuard], exports: [Tiers, PermissionsGuard] })
export class PermissionsModule {}
