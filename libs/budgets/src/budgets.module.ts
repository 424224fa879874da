import { Module } from '@nestjs/common';
import { RunLedger } from './run-ledger.repository.js';

@Module({ providers: [RunLedger], exports: [RunLedger] })
export class BudgetsModule {}
