export { BudgetsModule } from './budgets.module.js';
export { nanoToUsd, usdToNano } from './money.js';
export { type ModelBill, RunAccount } from './run-account.js';
export { type AbandonedRun, type RunEnding, RunLedger, type RunOpening } from './run-ledger.repository.js';
