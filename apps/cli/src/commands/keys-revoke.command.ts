import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'revoke', arguments: '<key>', description: 'end a key for good, and its running work' })
export class KeysRevokeCommand extends VerbCommand {
  protected async answer([ref = '']: string[]): Promise<Answer> {
    const { withKeys } = await import('../keys-session.js');
    const { oneKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator) => oneKey(await keys.revoke(operator, ref)));
  }
}
