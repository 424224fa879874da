import { Option, SubCommand } from 'nest-commander';
import { ListCommand, type PageOptions } from '../list.command.js';
import type { Answer } from '../verb.command.js';

interface ListOptions extends PageOptions {
  project?: string;
}

@SubCommand({ name: 'holds', description: 'what running work holds of budgets' })
export class BudgetsHoldsCommand extends ListCommand<ListOptions> {
  protected async answer(_: string[], { project, limit, cursor }: ListOptions): Promise<Answer> {
    const { withBudgets } = await import('../budgets-session.js');
    const { holdPage } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) => {
      const page = await budgets.holds(operator, { project, limit, cursor });
      return holdPage(page, this.terminal.interactive);
    });
  }

  @Option({ flags: '--project <project>', description: 'only those of this project' })
  parseProject(value: string): string {
    return value;
  }
}
