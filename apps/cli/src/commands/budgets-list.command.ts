import { Option, SubCommand } from 'nest-commander';
import { wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface ListOptions {
  project?: string;
  limit?: number;
  cursor?: string;
}

@SubCommand({ name: 'list', description: 'the newest first, with what is left of each' })
export class BudgetsListCommand extends VerbCommand<ListOptions> {
  protected async answer(_: string[], { project, limit, cursor }: ListOptions): Promise<Answer> {
    const { withBudgets } = await import('../budgets-session.js');
    const { budgetPage } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) => {
      const page = await budgets.list(operator, { project, limit, cursor });
      return budgetPage(page, this.terminal.interactive);
    });
  }

  @Option({ flags: '--project <project>', description: 'only those of this project' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--limit <n>', description: 'how many at most; default: 50' })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value, 1, 200);
  }

  @Option({ flags: '--cursor <cursor>', description: 'where the page before ended' })
  parseCursor(value: string): string {
    return value;
  }
}
