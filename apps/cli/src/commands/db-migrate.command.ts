import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'migrate', description: 'bring the database up to date' })
export class DbMigrateCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { schemaMigrated } = await import('../schema-answers.js');
    return schemaMigrated();
  }
}
