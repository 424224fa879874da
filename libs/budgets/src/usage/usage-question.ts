export const USAGE_PERIODS = ['day', 'week', 'month'] as const;
export const USAGE_GROUPS = ['model', 'day', 'key', 'project'] as const;

export type UsagePeriod = (typeof USAGE_PERIODS)[number];
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** Of when: a period that is under way, or from one moment to before another. A date is its midnight. */
export interface UsageSpan {
  period?: UsagePeriod;
  from?: string;
  to?: string;
  /** In which days begin; UTC when left out. */
  timeZone?: string;
}

/** Of whom; all that are given must hold. */
export interface UsageFilter {
  project?: string;
  keyId?: string;
  model?: string;
}

export interface UsageQuestion extends UsageSpan, UsageFilter {
  groupBy?: UsageGroup;
  /** So many groups at most; the totals are of all. */
  limit?: number;
}

/** A question's time, settled. */
export interface UsageRange {
  /** Null = the question named its own times. */
  period: UsagePeriod | null;
  from: Date;
  to: Date;
  timeZone: string;
}
