import type { ModelFamily } from '@app/common';

/** Which agents or skills a tier opens: no one's, those granted to the key, or every one that is installed. */
export const REACHES = ['none', 'granted', 'all'] as const;
export type Reach = (typeof REACHES)[number];
export const FILESYSTEMS = ['none', 'read', 'write'] as const;
export type Filesystem = (typeof FILESYSTEMS)[number];

/** What an operator decides about a tier. Seconds, bytes and US dollars. */
export interface Entitlements {
  readonly tools: readonly string[] | 'all';
  readonly agents: Reach;
  readonly skills: Reach;
  readonly models: readonly ModelFamily[];
  /** What a request without its own timeout gets. */
  readonly defaultTimeoutSeconds: number;
  readonly maxTimeoutSeconds: number;
  /** What one run may cost at most, and what a request without its own limit gets. */
  readonly maxCostUsd: number;
  readonly concurrentRuns: number;
  readonly requestsPerMinute: number;
  readonly filesystem: Filesystem;
  readonly workspaceBytes: number;
}

/** What a class of keys may do at most; a key or a request only narrows it. */
export interface Tier extends Entitlements {
  readonly name: string;
  readonly network: 'none';
}

/** One state of a tier: versions count from 1; 0 is a default tier that nobody has changed. */
export interface TierVersion {
  readonly name: string;
  readonly version: number;
  /** Null: a default tier as it is shipped, or that a tier was removed. */
  readonly entitlements: Entitlements | null;
  readonly createdAt: Date | null;
  readonly createdBy: string | null;
}

/** A tier as it is now, and since when. */
export interface KnownTier extends Tier, Omit<TierVersion, 'entitlements'> {
  /** Comes with the service: it can be changed and reset, not removed. */
  readonly isDefault: boolean;
}
