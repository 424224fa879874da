import { Option, SubCommand } from 'nest-commander';
import type { AuditQuestion } from '@app/audit';
import { AuditFilterOptions } from '../audit-filters.js';
import { time, wholeNumber } from '../option-values.js';
import type { Answer, Given } from '../verb.command.js';

@SubCommand({ name: 'list', description: 'the newest first' })
export class AuditListCommand extends AuditFilterOptions<AuditQuestion> {
  protected async answer(_: string[], { json: __, ...question }: Given<AuditQuestion>): Promise<Answer> {
    const { eventsPage } = await import('../audit-answers.js');
    return eventsPage(question, this.terminal.interactive);
  }

  @Option({ flags: '--to <time>', description: 'before' })
  parseTo(value: string): Date {
    return time('--to', value);
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
