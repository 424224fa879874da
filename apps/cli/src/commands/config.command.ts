import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { ConfigShowCommand } from './config-show.command.js';
import { ConfigValidateCommand } from './config-validate.command.js';

@Command({
  name: 'config',
  description: 'the settings in force',
  subCommands: [ConfigShowCommand, ConfigValidateCommand],
})
export class ConfigCommand extends GroupCommand {}
