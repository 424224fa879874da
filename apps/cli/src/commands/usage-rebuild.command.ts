import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'rebuild', description: 'compute all sums anew and tell which were wrong' })
export class UsageRebuildCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { rebuilt } = await import('../usage-answers.js');
    return rebuilt();
  }
}
