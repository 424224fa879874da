import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { PolicyExplainCommand } from './policy-explain.command.js';

@Command({
  name: 'policy',
  description: 'what a task may do, and which rule says so',
  subCommands: [PolicyExplainCommand],
})
export class PolicyCommand extends GroupCommand {}
