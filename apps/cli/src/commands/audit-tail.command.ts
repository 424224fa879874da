import { Option, SubCommand } from 'nest-commander';
import type { AuditQuestion } from '@app/audit';
import { AuditFilterOptions } from '../audit-filters.js';
import { wholeNumber } from '../option-values.js';
import type { Given } from '../verb.command.js';

interface TailOptions extends AuditQuestion {
  follow?: boolean;
  lines?: number;
}

/** The end of the audit, a line an event. With --json each line is one JSON value. */
@SubCommand({ name: 'tail', description: 'the last events, the newest at the end' })
export class AuditTailCommand extends AuditFilterOptions<TailOptions> {
  protected async answer(_: string[], options: Given<TailOptions>): Promise<undefined> {
    const { follow = false, lines = 20, json = false, ...question } = options;
    const { tail } = await import('../audit-tail.js');
    const stopped = new AbortController();
    const stop = () => stopped.abort();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await tail(question, { follow, lines, json }, this.terminal, stopped.signal);
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
  }

  @Option({ flags: '-f, --follow', description: 'and then what comes, until Ctrl-C' })
  parseFollow(): boolean {
    return true;
  }

  @Option({ flags: '-n, --lines <n>', description: 'how many of the last; default: 20' })
  parseLines(value: string): number {
    return wholeNumber('--lines', value, 1, 200);
  }
}
