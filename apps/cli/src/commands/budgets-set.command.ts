import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { decimal, wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface SetOptions {
  key?: string;
  project?: string;
  limitUsd?: number;
  limitTokens?: number;
  limitRequests?: number;
  period?: 'day' | 'week' | 'month' | 'total';
  timeZone?: string;
}

@SubCommand({
  name: 'set',
  description: 'limit what a key or a project may use in a day, week, month or ever',
})
export class BudgetsSetCommand extends VerbCommand<SetOptions> {
  protected async answer(_: string[], options: SetOptions): Promise<Answer> {
    const { key, project, limitUsd, limitTokens, limitRequests, period, timeZone } = options;
    if ((key === undefined) === (project === undefined)) throw new UsageError('--key or --project is needed');
    if (period === undefined) throw new UsageError('--period is needed: day, week, month or total');
    const limits = [limitUsd, limitTokens, limitRequests].filter((limit) => limit !== undefined);
    if (limits.length !== 1) {
      throw new UsageError('one of --limit-usd, --limit-tokens and --limit-requests is needed');
    }
    const { withBudgets } = await import('../budgets-session.js');
    const { oneBudget } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) =>
      oneBudget(
        await budgets.set(operator, { key, project, limitUsd, limitTokens, limitRequests, period, timeZone }),
      ),
    );
  }

  @Option({ flags: '--key <key>', description: 'for one key: its id or kid' })
  parseKey(value: string): string {
    return value;
  }

  @Option({ flags: '--project <project>', description: 'for all keys of a project together' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--limit-usd <n>', description: 'US dollars' })
  parseLimitUsd(value: string): number {
    return decimal('--limit-usd', value, 0, 1_000_000_000);
  }

  @Option({ flags: '--limit-tokens <n>', description: 'tokens of all classes' })
  parseLimitTokens(value: string): number {
    return wholeNumber('--limit-tokens', value, 0, Number.MAX_SAFE_INTEGER);
  }

  @Option({ flags: '--limit-requests <n>', description: 'completions and tasks' })
  parseLimitRequests(value: string): number {
    return wholeNumber('--limit-requests', value, 0, Number.MAX_SAFE_INTEGER);
  }

  @Option({
    flags: '--period <period>',
    description: 'how long it is for',
    choices: ['day', 'week', 'month', 'total'],
  })
  parsePeriod(value: string): string {
    return value;
  }

  @Option({
    flags: '--time-zone <zone>',
    description: 'where its days begin, such as Europe/Berlin; default: UTC',
  })
  parseTimeZone(value: string): string {
    return value;
  }
}
