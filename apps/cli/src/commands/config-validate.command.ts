import { SubCommand } from 'nest-commander';
import { showConfig } from '@app/config';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'validate', description: 'is every setting usable? starts and makes nothing' })
export class ConfigValidateCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const set = showConfig().filter(({ source }) => source !== 'default' && source !== 'unset').length;
    return { json: { valid: true }, text: `the configuration is valid (${set} set, the rest by default)` };
  }
}
