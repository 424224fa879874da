import { AppError } from '@app/common';
import type { BudgetUnit } from './allowance.js';
import { type Budget, PERIODS, type Period } from './budget.js';
import { usdToNano } from './money.js';

/** Exactly one of them. */
export interface LimitInput {
  limitUsd?: number;
  limitTokens?: number;
  limitRequests?: number;
}

export interface SetBudgetInput extends LimitInput {
  /** A key's id or kid; its project is the key's own. */
  key?: string;
  project?: string;
  period: Period;
  /** IANA; left out = UTC. */
  timeZone?: string;
}

export interface UpdateBudgetInput extends LimitInput {
  enabled?: boolean;
}

export interface GrantInput {
  /** In the budget's unit. */
  amount: number;
  reason?: string;
}

const MOST_USD = 1_000_000_000;
const MOST_COUNT = Number.MAX_SAFE_INTEGER;
/** Of all grants of a window together, as it is stored: sums stay far within what the database counts to. */
const MOST_GRANTED = { usd: usdToNano(MOST_USD), tokens: BigInt(MOST_COUNT), requests: BigInt(MOST_COUNT) };
const REASON = /^\P{Cc}{0,200}$/u;

export function invalid(param: string, message: string): AppError {
  return new AppError('invalid_request', `${param} ${message}`, { param });
}

/** Undefined when no limit was given. Throws `invalid_request` for two, or for one that is none. */
export function limitOf(input: LimitInput): { unit: BudgetUnit; limit: bigint } | undefined {
  const given = [
    { unit: 'usd' as const, param: 'limit_usd', value: input.limitUsd },
    { unit: 'tokens' as const, param: 'limit_tokens', value: input.limitTokens },
    { unit: 'requests' as const, param: 'limit_requests', value: input.limitRequests },
  ].filter(({ value }) => value !== undefined);
  const [first, second] = given;
  if (!first) return undefined;
  if (second) throw invalid(second.param, `cannot be set together with ${first.param}: make two budgets`);
  return { unit: first.unit, limit: stored(first.param, first.unit, first.value!, 0) };
}

export function checkPeriod(period: string): Period {
  const known = PERIODS.find((candidate) => candidate === period);
  if (!known) throw invalid('period', `must be one of ${PERIODS.join(', ')}`);
  return known;
}

/** As it is stored. A grant gives something. */
export function grantOf({ amount, reason }: GrantInput, { unit, window }: Budget): bigint {
  if (reason !== undefined && !REASON.test(reason)) {
    throw invalid('reason', 'must be at most 200 characters, none of them a control character');
  }
  const granted = stored('amount', unit, amount, 1);
  if (window.granted + granted > MOST_GRANTED[unit]) {
    throw invalid('amount', 'is too much beside what was granted before: raise the limit instead');
  }
  return granted;
}

function stored(param: string, unit: BudgetUnit, value: number, least: 0 | 1): bigint {
  if (unit === 'usd') {
    const nano = value >= 0 && value <= MOST_USD ? usdToNano(value) : -1n;
    if (nano < BigInt(least)) throw invalid(param, `must be a number of dollars, ${MOST_USD} at most`);
    return nano;
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw invalid(param, `must be a whole number from ${least} to ${MOST_COUNT}`);
  }
  return BigInt(value);
}
