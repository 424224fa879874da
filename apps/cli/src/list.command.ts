import { Option } from 'nest-commander';
import { wholeNumber } from './option-values.js';
import { VerbCommand } from './verb.command.js';

export interface PageOptions {
  limit?: number;
  cursor?: string;
}

/** A verb that answers with one page of many. */
export abstract class ListCommand<Options extends object = object> extends VerbCommand<
  Options & PageOptions
> {
  @Option({ flags: '--limit <n>', description: 'how many at most; default: 50' })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value, 1, 200);
  }

  @Option({ flags: '--cursor <cursor>', description: 'where the page before ended' })
  parseCursor(value: string): string {
    return value;
  }
}
