import type { BudgetUnit } from './allowance.js';

export const PERIODS = ['day', 'week', 'month', 'total'] as const;
export type Period = (typeof PERIODS)[number];

/** A rule: so much of a unit, for a key or a whole project, in each window. Amounts in nano-dollars, tokens or runs. */
export interface Budget {
  id: string;
  project: string;
  /** Null = the whole project. */
  keyId: string | null;
  unit: BudgetUnit;
  limit: bigint;
  period: Period;
  timeZone: string;
  enabled: boolean;
  createdAt: Date;
  window: BudgetWindow;
}

/** What there is, and what has become of it, in the window of this moment. */
interface BudgetWindow {
  /** Null = since ever, for ever. */
  startsAt: Date | null;
  endsAt: Date | null;
  granted: bigint;
  held: bigint;
  settled: bigint;
  overrun: bigint;
  remaining: bigint;
}

/** What a run that is under way holds of its budgets. */
export interface RunHold {
  runId: string;
  project: string;
  keyId: string;
  kind: string;
  model: string;
  budgets: string[];
  heldNano: bigint;
  heldTokens: bigint;
  observedNano: bigint;
  startedAt: Date;
  leaseUntil: Date;
}
