import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { TiersListCommand } from './tiers-list.command.js';
import { TiersShowCommand } from './tiers-show.command.js';

@Command({
  name: 'tiers',
  description: 'what each profile may do',
  subCommands: [TiersListCommand, TiersShowCommand],
})
export class TiersCommand extends GroupCommand {}
