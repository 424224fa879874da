import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'reset', arguments: '<tier>', description: 'a default tier as it is shipped' })
export class TiersResetCommand extends VerbCommand {
  protected async answer([name = '']: string[]): Promise<Answer> {
    const { resetTier } = await import('../tier-answers.js');
    return resetTier(name);
  }
}
