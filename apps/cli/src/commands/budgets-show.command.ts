import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'show', arguments: '<budget>', description: 'one budget, and what is left of it' })
export class BudgetsShowCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { withBudgets } = await import('../budgets-session.js');
    const { oneBudget } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) => oneBudget(await budgets.show(operator, id)));
  }
}
