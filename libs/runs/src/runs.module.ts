import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { AuthModule } from '@app/auth';
import { BudgetsModule } from '@app/budgets';
import { AppConfig } from '@app/config';
import { ExecutorModule } from '@app/executor';
import { PermissionsModule } from '@app/permissions';
import { IdempotencyRepository } from './idempotency.repository.js';
import { Idempotency } from './idempotency.service.js';
import { LiveRuns } from './live-runs.js';
import { RunBook } from './run-book.js';
import { RunLine } from './run-line.js';
import { RunMeans } from './run-means.js';
import { RunPolicy } from './run-policy.js';
import { Runs } from './runs.service.js';

@Module({
  imports: [AuditModule, AuthModule, BudgetsModule, ExecutorModule, PermissionsModule],
  providers: [
    Runs,
    LiveRuns,
    RunPolicy,
    RunBook,
    RunMeans,
    Idempotency,
    IdempotencyRepository,
    { provide: RunLine, useFactory: (config: AppConfig) => new RunLine(config.maxRuns), inject: [AppConfig] },
  ],
  exports: [Runs, RunPolicy, Idempotency],
})
export class RunsModule {}
