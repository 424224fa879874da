import { MODEL_FAMILIES } from '@app/common';
import type { Tier } from './tier.js';

const MEGABYTE = 1_000_000;
const READ_TOOLS = ['Read', 'Grep', 'Glob'] as const;

/** The tiers that every installation has, smallest first. */
export const DEFAULT_TIERS: readonly Tier[] = [
  {
    name: 'free',
    tools: READ_TOOLS,
    agents: 'none',
    skills: 'none',
    models: MODEL_FAMILIES,
    defaultTimeoutSeconds: 60,
    maxTimeoutSeconds: 60,
    maxCostUsd: 0.1,
    concurrentRuns: 1,
    requestsPerMinute: 10,
    network: 'none',
    filesystem: 'read',
    workspaceBytes: 50 * MEGABYTE,
  },
  {
    name: 'pro',
    tools: [...READ_TOOLS, 'Write', 'Edit', 'Bash'],
    agents: 'granted',
    skills: 'granted',
    models: MODEL_FAMILIES,
    defaultTimeoutSeconds: 300,
    maxTimeoutSeconds: 300,
    maxCostUsd: 1,
    concurrentRuns: 3,
    requestsPerMinute: 100,
    network: 'none',
    filesystem: 'write',
    workspaceBytes: 100 * MEGABYTE,
  },
  {
    name: 'enterprise',
    tools: 'all',
    agents: 'all',
    skills: 'all',
    models: MODEL_FAMILIES,
    defaultTimeoutSeconds: 600,
    maxTimeoutSeconds: 3600,
    maxCostUsd: 10,
    concurrentRuns: 10,
    requestsPerMinute: 1000,
    network: 'none',
    filesystem: 'write',
    workspaceBytes: 500 * MEGABYTE,
  },
];
