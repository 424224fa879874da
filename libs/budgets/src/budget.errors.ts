import { AppError } from '@app/common';
import type { BudgetRefusal, BudgetUnit, RateState } from './allowance.js';
import { nanoToUsd } from './money.js';

/** As answers give an amount: dollars for usd, else a count. */
export function amountOf(unit: BudgetUnit, amount: bigint): number {
  return unit === 'usd' ? nanoToUsd(amount) : Number(amount);
}

export function budgetExceeded({ budget, unit, limit, remaining, resetsAt }: BudgetRefusal): AppError {
  const until = resetsAt ? `it resets at ${resetsAt.toISOString()}` : 'it never resets';
  return new AppError(
    'budget_exceeded',
    `what is left of the budget ${budget} does not pay for this: ${until}; whoever manages it can grant more`,
    {
      details: {
        ...{ budget, unit, limit: amountOf(unit, limit), remaining: amountOf(unit, remaining) },
        resets_at: resetsAt?.toISOString() ?? null,
      },
    },
  );
}

export function rateLimited({ limit, resetSeconds }: RateState, retryAfterSeconds: number): AppError {
  return new AppError('rate_limited', `this key may make ${limit} request(s) a minute`, {
    details: {
      ...{ limit, remaining: 0, retry_after_ms: Math.ceil(retryAfterSeconds * 1000) },
      reset: Math.ceil(resetSeconds),
    },
    retryAfterSeconds,
  });
}
