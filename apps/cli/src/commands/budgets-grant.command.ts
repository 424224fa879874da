import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { decimal } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface GrantOptions {
  amount?: number;
  reason?: string;
}

@SubCommand({
  name: 'grant',
  arguments: '<budget>',
  description: 'more for now: for the running period only',
})
export class BudgetsGrantCommand extends VerbCommand<GrantOptions> {
  protected async answer([id = '']: string[], { amount, reason }: GrantOptions): Promise<Answer> {
    if (amount === undefined) throw new UsageError('--amount is needed, in the unit of the budget');
    const { withBudgets } = await import('../budgets-session.js');
    const { oneBudget } = await import('../budget-answers.js');
    return withBudgets(async (budgets, operator) =>
      oneBudget(await budgets.grant(operator, id, { amount, reason })),
    );
  }

  @Option({ flags: '--amount <n>', description: 'dollars, tokens or requests, as the budget counts' })
  parseAmount(value: string): number {
    return decimal('--amount', value, 0, Number.MAX_SAFE_INTEGER);
  }

  @Option({ flags: '--reason <reason>', description: 'for people' })
  parseReason(value: string): string {
    return value;
  }
}
