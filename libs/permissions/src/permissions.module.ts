import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { PermissionsGuard } from './permissions.guard.js';
import { TierBook } from './tier-book.service.js';
import { Tiers } from './tiers.js';
import { TiersRepository } from './tiers.repository.js';

const SHARED = [PermissionsGuard, TierBook, Tiers];

@Module({ imports: [AuditModule], providers: [...SHARED, TiersRepository], exports: SHARED })
export class PermissionsModule {}
