import { SubCommand } from 'nest-commander';
import type { UsageQuestion } from '@app/budgets';
import { UsageVerbCommand } from '../usage-verb.command.js';
import type { Answer } from '../verb.command.js';

@SubCommand({ name: 'by-model', description: 'what each model was used for, the dearest first' })
export class UsageByModelCommand extends UsageVerbCommand {
  protected async answer(_: string[], question: UsageQuestion): Promise<Answer> {
    const { usageBy } = await import('../usage-answers.js');
    return usageBy('model', question, this.terminal.interactive);
  }
}
