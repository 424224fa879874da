import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { PoolStatusCommand } from './pool-status.command.js';

@Command({
  name: 'pool',
  description: 'processes of the CLI that a running server keeps ready',
  subCommands: [PoolStatusCommand],
})
export class PoolCommand extends GroupCommand {}
