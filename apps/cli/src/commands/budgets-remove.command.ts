import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'remove', arguments: '<budget>', description: 'it holds nobody back any more' })
export class BudgetsRemoveCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { withBudgets } = await import('../budgets-session.js');
    const { oneBudget } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) => oneBudget(await budgets.remove(operator, id), 'removed'));
  }
}
