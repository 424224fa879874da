import { SubCommand } from 'nest-commander';
import type { UsageQuestion } from '@app/budgets';
import { UsageVerbCommand } from '../usage-verb.command.js';
import type { Answer } from '../verb.command.js';

@SubCommand({ name: 'by-project', description: 'what each project used, the dearest first' })
export class UsageByProjectCommand extends UsageVerbCommand {
  protected async answer(_: string[], question: UsageQuestion): Promise<Answer> {
    const { usageBy } = await import('../usage-answers.js');
    return usageBy('project', question, this.terminal.interactive);
  }
}
