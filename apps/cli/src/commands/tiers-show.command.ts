import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'show', arguments: '<tier>', description: 'all limits of one tier' })
export class TiersShowCommand extends VerbCommand {
  protected async answer([name = '']: string[]): Promise<Answer> {
    const { oneTier } = await import('../tier-answers.js');
    return oneTier(name);
  }
}
