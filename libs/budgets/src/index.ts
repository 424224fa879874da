export type { Admission, Allowance, BudgetRefusal } from './allowance.js';
export { budgetExceeded, rateLimited } from './budget.errors.js';
export type { Budget, RunHold } from './budget.js';
export { BudgetsModule } from './budgets.module.js';
export { BudgetsService, type Page } from './budgets.service.js';
export { BudgetDto, BudgetListDto, HoldListDto } from './dto/budget.dto.js';
export { Denials } from './denials.js';
export { nanoToUsd, usdToNano } from './money.js';
export { pricesFrom } from './price-file.js';
export type { ModelBill, RunAccount } from './run-account.js';
export { RunAccounts } from './run-accounts.js';
export {
  type BudgetNews,
  type OpenRun,
  type RunEnding,
  RunLedger,
  type RunOpening,
} from './run-ledger.repository.js';
export { UsageDto } from './usage/dto/usage.dto.js';
export type { UsageGroup, UsageQuestion } from './usage/usage-question.js';
export { Usage } from './usage/usage.service.js';
export { UsageExport, type UsageExportRequest } from './usage/usage-export.service.js';
export { UsageModule } from './usage/usage.module.js';
export { UsageRollups } from './usage/usage-rollups.service.js';
export { LedgerRetention } from './usage/ledger-retention.service.js';
