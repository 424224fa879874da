import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { DbMigrateCommand } from './db-migrate.command.js';
import { DbStatusCommand } from './db-status.command.js';

@Command({
  name: 'db',
  description: 'the schema of the database',
  subCommands: [DbStatusCommand, DbMigrateCommand],
})
export class DbCommand extends GroupCommand {}
