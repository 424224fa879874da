import { Option, SubCommand } from 'nest-commander';
import type { UsageExportRequest } from '@app/budgets';
import { UsageError } from '../failures.js';
import { UsageVerbCommand } from '../usage-verb.command.js';

/** The ledger to stdout, piece by piece: it may be more than fits into memory. */
@SubCommand({ name: 'export', description: 'a line for each model of each run' })
export class UsageExportCommand extends UsageVerbCommand<Pick<UsageExportRequest, 'format'>> {
  protected async answer(
    _: string[],
    { format = 'jsonl', ...rest }: Partial<UsageExportRequest>,
  ): Promise<undefined> {
    const { exported } = await import('../usage-answers.js');
    await exported({ ...rest, format }, this.terminal);
  }

  @Option({ flags: '--format <format>', description: 'jsonl (default) or csv' })
  parseFormat(value: string): 'jsonl' | 'csv' {
    if (value === 'jsonl' || value === 'csv') return value;
    throw new UsageError('--format must be jsonl or csv');
  }
}
