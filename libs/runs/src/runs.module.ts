import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { AuthModule } from '@app/auth';
import { BudgetsModule } from '@app/budgets';
import { AppConfig } from '@app/config';
import { ExecutorModule } from '@app/executor';
import { IdempotencyRepository } from './idempotency.repository.js';
import { Idempotency } from './idempotency.service.js';
import { LiveRuns } from './live-runs.js';
import { PolicyModule } from './policy.module.js';
import { RunBook } from './run-book.js';
import { RunLine } from './run-line.js';
import { RunMeans } from './run-means.js';
import { Runs } from './runs.service.js';

@Module({
  imports: [AuditModule, AuthModule, BudgetsModule, ExecutorModule, PolicyModule],
  providers: [
    Runs,
    LiveRuns,
    RunBook,
    RunMeans,
    Idempotency,
    IdempotencyRepository,
    { provide: RunLine, useFactory: (config: AppConfig) => new RunLine(config.maxRuns), inject: [AppConfig] },
  ],
  exports: [Runs, Idempotency, PolicyModule],
})
export class RunsModule {}
