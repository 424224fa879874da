import { SubCommand } from 'nest-commander';
import { showConfig } from '@app/config';
import { table } from '../table.js';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'show', description: 'every setting and where it came from; secrets are masked' })
export class ConfigShowCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const data = showConfig();
    const rows = data.map(({ name, value, source }) => [name, value, source]);
    return { json: { data }, text: table(['setting', 'value', 'from'], rows, this.terminal.interactive) };
  }
}
