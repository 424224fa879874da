import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { BudgetsController } from './budgets.controller.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BudgetsService } from './budgets.service.js';
import { Denials } from './denials.js';
import { Prices } from './prices.js';
import { RunAccounts } from './run-accounts.js';
import { RunLedger } from './run-ledger.repository.js';

const SHARED = [BudgetsService, Denials, RunAccounts, RunLedger];

@Module({
  imports: [AuditModule],
  controllers: [BudgetsController],
  providers: [...SHARED, BudgetsRepository, { provide: Prices, useFactory: () => new Prices() }],
  exports: SHARED,
})
export class BudgetsModule {}
