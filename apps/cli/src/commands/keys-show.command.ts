import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'show', arguments: '<key>', description: 'one key, by its id or kid' })
export class KeysShowCommand extends VerbCommand {
  protected async answer([ref = '']: string[]): Promise<Answer> {
    const { withKeys } = await import('../keys-session.js');
    const { oneKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator) => oneKey(await keys.show(operator, ref)));
  }
}
