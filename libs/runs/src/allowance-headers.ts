import { type Allowance, nanoToUsd } from '@app/budgets';

/** What a caller still has, for every answer of a metered route. `reset` counts seconds until the rate is whole. */
export function allowanceHeaders({ rate, budgetRemainingNano }: Allowance): Record<string, string> {
  return {
    ...(rate && {
      'x-ratelimit-limit': String(rate.limit),
      'x-ratelimit-remaining': String(rate.remaining),
      'x-ratelimit-reset': String(Math.ceil(rate.resetSeconds)),
    }),
    ...(budgetRemainingNano !== null && { 'x-budget-remaining-usd': String(nanoToUsd(budgetRemainingNano)) }),
  };
}
