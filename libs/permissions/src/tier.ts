import type { ModelFamily } from '@app/common';

/** Which agents or skills a tier opens: no one's, those granted to the key, or every one that is installed. */
export type Reach = 'none' | 'granted' | 'all';
export type Filesystem = 'none' | 'read' | 'write';

/** What a class of keys may do at most. Seconds, bytes and US dollars; a key or a request only narrows it. */
export interface Tier {
  readonly name: string;
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
  readonly network: 'none';
  readonly filesystem: Filesystem;
  readonly workspaceBytes: number;
}
