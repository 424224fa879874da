import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { TiersListCommand } from './tiers-list.command.js';
import { TiersRemoveCommand } from './tiers-remove.command.js';
import { TiersResetCommand } from './tiers-reset.command.js';
import { TiersSetCommand } from './tiers-set.command.js';
import { TiersShowCommand } from './tiers-show.command.js';

@Command({
  name: 'tiers',
  description: 'what each profile may do; your own profiles',
  subCommands: [TiersListCommand, TiersShowCommand, TiersSetCommand, TiersResetCommand, TiersRemoveCommand],
})
export class TiersCommand extends GroupCommand {}
