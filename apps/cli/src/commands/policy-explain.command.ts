import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { collected, decimal, listed, wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface ExplainOptions {
  key?: string;
  tier?: string;
  allowTool?: string[];
  allowAgent?: string[];
  allowSkill?: string[];
  model?: string;
  timeout?: number;
  maxCost?: number;
}

@SubCommand({
  name: 'explain',
  description: 'what a task of a key would get; exit code 1 when it would be refused',
})
export class PolicyExplainCommand extends VerbCommand<ExplainOptions> {
  protected async answer(_: string[], options: ExplainOptions): Promise<Answer> {
    const { key, tier, model, timeout, maxCost, allowTool, allowAgent, allowSkill } = options;
    if ((key === undefined) === (tier === undefined)) {
      throw new UsageError('--key or --tier is needed, and only one of them');
    }
    const { explainedPolicy } = await import('../policy-answers.js');
    return explainedPolicy({
      ...{ key, tier, model, timeoutSeconds: timeout, maxCostUsd: maxCost },
      ...{ tools: listed(allowTool), agents: listed(allowAgent), skills: listed(allowSkill) },
    });
  }

  @Option({ flags: '--key <key>', description: 'whose task: an id or a kid' })
  parseKey(value: string): string {
    return value;
  }

  @Option({ flags: '--tier <tier>', description: 'instead of a key: one of this tier without grants' })
  parseTier(value: string): string {
    return value;
  }

  @Option({
    flags: '--allow-tool <tools...>',
    description: 'tools that it would ask for, or "none"; default: what the tier gives',
  })
  parseAllowTool(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--allow-agent <agents...>', description: 'the same for agents' })
  parseAllowAgent(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--allow-skill <skills...>', description: 'the same for skills' })
  parseAllowSkill(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--model <model>', description: 'haiku, sonnet, opus, a full id, or auto (default)' })
  parseModel(value: string): string {
    return value;
  }

  @Option({ flags: '--timeout <seconds>', description: 'how long it would ask for' })
  parseTimeout(value: string): number {
    return wholeNumber('--timeout', value, 1, 3600);
  }

  @Option({ flags: '--max-cost <usd>', description: 'how much it would ask for' })
  parseMaxCost(value: string): number {
    return decimal('--max-cost', value, 0, 10_000);
  }
}
