import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'status', description: 'which migrations the database has' })
export class DbStatusCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { schemaStatus } = await import('../schema-answers.js');
    return schemaStatus(this.terminal.interactive);
  }
}
