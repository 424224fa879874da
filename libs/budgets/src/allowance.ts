export type BudgetUnit = 'usd' | 'tokens' | 'requests';

/** The budget that does not pay for what is asked. Amounts in its unit; nano-dollars for usd. */
export interface BudgetRefusal {
  budget: string;
  unit: BudgetUnit;
  limit: bigint;
  /** What is left now. */
  remaining: bigint;
  /** What would be left if every run that is under way used nothing. */
  free: bigint;
  /** Null = never. */
  resetsAt: Date | null;
}

/** A key's requests of a minute. */
export interface RateState {
  limit: number;
  remaining: number;
  /** Until all of them are there again. */
  resetSeconds: number;
}

/** What a caller still has, for the headers of its answer. Null = there is no such limit. */
export interface Allowance {
  rate: RateState | null;
  budgetRemainingNano: bigint | null;
}

interface Admitted {
  verdict: 'admitted';
  allowance: Allowance;
  /** The run holds something of a budget. */
  budgeted: boolean;
}

/** What the database said to a run that wants to start, or to work that wants to wait. */
export type Admission =
  | Admitted
  /** `key_ended`: revoked or expired. `key_changed`: its caller was verified before its last change. */
  | { verdict: 'key_ended' | 'key_changed' | 'concurrency' }
  | { verdict: 'rate'; rate: RateState; retryAfterSeconds: number }
  | { verdict: 'budget'; refusal: BudgetRefusal };

interface RateRow {
  limit: number;
  remaining: number;
  reset_s: number;
  retry_after_s: number;
}

export interface RefusalRow {
  budget: string;
  unit: BudgetUnit;
  limit: string;
  remaining: string;
  free: string;
  resets_at: string | null;
}

export interface AdmissionRow {
  verdict: Admission['verdict'];
  rate?: RateRow | null;
  refusal?: RefusalRow;
  budgeted?: boolean;
  remaining_nano?: string | null;
}

export function refusalOf(row: RefusalRow): BudgetRefusal {
  const { budget, unit, limit, remaining, free, resets_at: resetsAt } = row;
  return {
    ...{ budget, unit, limit: BigInt(limit), remaining: BigInt(remaining), free: BigInt(free) },
    resetsAt: resetsAt === null ? null : new Date(resetsAt),
  };
}

export function admissionOf({ verdict, rate, refusal, budgeted, remaining_nano }: AdmissionRow): Admission {
  const state = rate ? { limit: rate.limit, remaining: rate.remaining, resetSeconds: rate.reset_s } : null;
  switch (verdict) {
    case 'admitted': {
      const remaining = remaining_nano == null ? null : BigInt(remaining_nano);
      return {
        verdict,
        budgeted: budgeted ?? false,
        allowance: { rate: state, budgetRemainingNano: remaining },
      };
    }
    case 'rate':
      return { verdict, rate: state!, retryAfterSeconds: rate!.retry_after_s };
    case 'budget':
      return { verdict, refusal: refusalOf(refusal!) };
    default:
      return { verdict };
  }
}
