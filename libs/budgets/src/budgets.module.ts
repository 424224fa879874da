import { Module } from '@nestjs/common';
import { AuditModule } from '@app/audit';
import { AppConfig } from '@app/config';
import { BudgetsController } from './budgets.controller.js';
import { BudgetsRepository } from './budgets.repository.js';
import { BudgetsService } from './budgets.service.js';
import { Denials } from './denials.js';
import { pricesFrom } from './price-file.js';
import { Prices } from './prices.js';
import { RunAccounts } from './run-accounts.js';
import { RunLedger } from './run-ledger.repository.js';
import { UsageController } from './usage/usage.controller.js';
import { UsageModule } from './usage/usage.module.js';

const PRICES = {
  provide: Prices,
  useFactory: (config: AppConfig) => new Prices(pricesFrom(config.pricesFile)),
  inject: [AppConfig],
};
const SHARED = [BudgetsService, Denials, RunAccounts, RunLedger];

@Module({
  imports: [AuditModule, UsageModule],
  controllers: [BudgetsController, UsageController],
  providers: [...SHARED, BudgetsRepository, PRICES],
  exports: SHARED,
})
export class BudgetsModule {}
