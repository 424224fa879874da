import { Module } from '@nestjs/common';
import { Denials } from './denials.js';
import { Prices } from './prices.js';
import { RunAccounts } from './run-accounts.js';
import { RunLedger } from './run-ledger.repository.js';
import { UsageModule } from './usage/usage.module.js';

@Module({
  imports: [UsageModule],
  providers: [RunLedger, RunAccounts, Denials, { provide: Prices, useFactory: () => new Prices() }],
  exports: [RunLedger, RunAccounts, Denials],
})
export class BudgetsModule {}
