import { Option, SubCommand } from 'nest-commander';
import type { TierChanges } from '@app/permissions';
import { UsageError } from '../failures.js';
import { collected, decimal, wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface SetOptions {
  from?: string;
  tool?: string[];
  agents?: string;
  skills?: string;
  model?: string[];
  defaultTimeout?: number;
  maxTimeout?: number;
  maxCost?: number;
  concurrentRuns?: number;
  requestsPerMinute?: number;
  filesystem?: string;
  workspaceMb?: number;
}

const MEGABYTE = 1_000_000;
const SECONDS = 3600;

@SubCommand({
  name: 'set',
  arguments: '<tier>',
  description: 'change a tier, or make one from another; in force at once',
})
export class TiersSetCommand extends VerbCommand<SetOptions> {
  protected async answer([name = '']: string[], options: SetOptions): Promise<Answer> {
    const { json: _, from, ...wanted } = options as SetOptions & { json?: boolean };
    if (from === undefined && Object.keys(wanted).length === 0) {
      throw new UsageError('nothing to change was given');
    }
    const { changedTier } = await import('../tier-answers.js');
    return changedTier(name, changesOf(wanted), from);
  }

  @Option({ flags: '--from <tier>', description: 'start with the limits of this tier' })
  parseFrom(value: string): string {
    return value;
  }

  @Option({ flags: '--tool <tools...>', description: 'the tools that it has; or "all", or "none"' })
  parseTool(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--agents <which>', description: 'none, granted (to the key) or all' })
  parseAgents(value: string): string {
    return value;
  }

  @Option({ flags: '--skills <which>', description: 'none, granted (to the key) or all' })
  parseSkills(value: string): string {
    return value;
  }

  @Option({ flags: '--model <models...>', description: 'the models that it has: haiku, sonnet, opus' })
  parseModel(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--default-timeout <seconds>', description: 'for a request that says nothing' })
  parseDefaultTimeout(value: string): number {
    return wholeNumber('--default-timeout', value, 1, SECONDS);
  }

  @Option({ flags: '--max-timeout <seconds>', description: 'the longest that a request may ask for' })
  parseMaxTimeout(value: string): number {
    return wholeNumber('--max-timeout', value, 1, SECONDS);
  }

  @Option({ flags: '--max-cost <usd>', description: 'the most that one run may cost' })
  parseMaxCost(value: string): number {
    return decimal('--max-cost', value, 0.0001, 10_000);
  }

  @Option({ flags: '--concurrent-runs <n>', description: 'of one key at once' })
  parseConcurrentRuns(value: string): number {
    return wholeNumber('--concurrent-runs', value, 1, 1000);
  }

  @Option({ flags: '--requests-per-minute <n>', description: 'of one key' })
  parseRequestsPerMinute(value: string): number {
    return wholeNumber('--requests-per-minute', value, 1, 1_000_000);
  }

  @Option({ flags: '--filesystem <access>', description: 'to the workspace: none, read or write' })
  parseFilesystem(value: string): string {
    return value;
  }

  @Option({ flags: '--workspace-mb <n>', description: 'how much a workspace may hold' })
  parseWorkspaceMb(value: string): number {
    return wholeNumber('--workspace-mb', value, 1, MEGABYTE);
  }
}

/** Words that mean nothing are for the service to refuse. */
function changesOf({ tool, model, defaultTimeout, maxTimeout, maxCost, workspaceMb, ...same }: SetOptions) {
  return {
    ...same,
    tools: toolsOf(tool),
    models: model,
    defaultTimeoutSeconds: defaultTimeout,
    maxTimeoutSeconds: maxTimeout,
    maxCostUsd: maxCost,
    workspaceBytes: workspaceMb && workspaceMb * MEGABYTE,
  } as TierChanges;
}

function toolsOf(names: string[] | undefined): string[] | 'all' | undefined {
  if (names?.join() === 'all') return 'all';
  return names?.join() === 'none' ? [] : names;
}
