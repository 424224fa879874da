import { SubCommand } from 'nest-commander';
import type { UsageQuestion } from '@app/budgets';
import { UsageVerbCommand } from '../usage-verb.command.js';
import type { Answer } from '../verb.command.js';

@SubCommand({ name: 'summary', description: 'the totals of a time' })
export class UsageSummaryCommand extends UsageVerbCommand {
  protected async answer(_: string[], question: UsageQuestion): Promise<Answer> {
    const { usageSummary } = await import('../usage-answers.js');
    return usageSummary(question);
  }
}
