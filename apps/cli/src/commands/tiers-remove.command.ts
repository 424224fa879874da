import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'remove', arguments: '<tier>', description: 'a tier of your own that no key has' })
export class TiersRemoveCommand extends VerbCommand {
  protected async answer([name = '']: string[]): Promise<Answer> {
    const { removedTier } = await import('../tier-answers.js');
    return removedTier(name);
  }
}
