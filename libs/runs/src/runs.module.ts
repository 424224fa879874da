import { Module, type OnModuleInit } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { AuthModule, KeyChanges } from '@app/auth';
import { BudgetsModule, Denials } from '@app/budgets';
import { AppConfig } from '@app/config';
import { ExecutorModule } from '@app/executor';
import { IdempotencyRepository } from './idempotency.repository.js';
import { Idempotency } from './idempotency.service.js';
import { LiveRuns } from './live-runs.js';
import { PolicyModule } from './policy.module.js';
import { RunAdmission } from './run-admission.js';
import { RunBook } from './run-book.js';
import { RunGate } from './run-gate.js';
import { RunLine } from './run-line.js';
import { RunMeans } from './run-means.js';
import { RunMetrics } from './run-metrics.js';
import { Runs } from './runs.service.js';

@Module({
  imports: [AuditModule, AuthModule, BudgetsModule, ExecutorModule, PolicyModule],
  providers: [
    Runs,
    LiveRuns,
    RunBook,
    RunAdmission,
    RunGate,
    RunMeans,
    RunMetrics,
    Idempotency,
    IdempotencyRepository,
    { provide: RunLine, useFactory: (config: AppConfig) => new RunLine(config.maxRuns), inject: [AppConfig] },
  ],
  exports: [Runs, Idempotency, PolicyModule],
})
export class RunsModule implements OnModuleInit {
  constructor(
    private readonly keyChanges: KeyChanges,
    private readonly denials: Denials,
  ) {}

  onModuleInit(): void {
    this.keyChanges.onChange(({ keyId }) => this.denials.forget(keyId));
  }
}
