import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { BudgetsGrantCommand } from './budgets-grant.command.js';
import { BudgetsHoldsCommand } from './budgets-holds.command.js';
import { BudgetsListCommand } from './budgets-list.command.js';
import { BudgetsRemoveCommand } from './budgets-remove.command.js';
import { BudgetsSetCommand } from './budgets-set.command.js';
import { BudgetsShowCommand } from './budgets-show.command.js';

@Command({
  name: 'budgets',
  description: 'limit what keys and projects may use',
  subCommands: [
    BudgetsSetCommand,
    BudgetsListCommand,
    BudgetsShowCommand,
    BudgetsGrantCommand,
    BudgetsRemoveCommand,
    BudgetsHoldsCommand,
  ],
})
export class BudgetsCommand extends GroupCommand {}
