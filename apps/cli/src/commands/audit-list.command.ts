import { Option, SubCommand } from 'nest-commander';
import type { AuditQuestion } from '@app/audit';
import { AuditFilterOptions } from '../audit-filters.js';
import { time, wholeNumber } from '../option-values.js';
import { Terminal } from '../terminal.js';
import { say } from '../verb.command.js';

@SubCommand({ name: 'list', description: 'the newest first' })
export class AuditListCommand extends AuditFilterOptions {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  override async run(_: string[], options: AuditQuestion & { json?: boolean }): Promise<void> {
    const { json = false, ...question } = options;
    const { eventsPage } = await import('../audit-answers.js');
    say(await eventsPage(question, this.terminal.interactive), json, this.terminal);
  }

  @Option({ flags: '--json', description: 'print one JSON value' })
  parseJson(): boolean {
    return true;
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
