import { SubCommand } from 'nest-commander';
import { readStdin } from '../read-stdin.js';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({
  name: 'test',
  arguments: '<secret>',
  argsDescription: { secret: 'a whole API key; "-" reads it from stdin, out of sight of other users' },
  description: 'does this key work?',
})
export class KeysTestCommand extends VerbCommand {
  protected async answer([secret = '']: string[]): Promise<Answer> {
    const presented = secret === '-' ? (await readStdin()).trim() : secret;
    const { withKeys } = await import('../keys-session.js');
    const { oneKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator) => oneKey(await keys.test(operator, presented), 'the key works'));
  }
}
