import { Option, SubCommand } from 'nest-commander';
import { wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface ListOptions {
  projectId?: string;
  limit?: number;
  cursor?: string;
}

@SubCommand({ name: 'list', description: 'the newest first' })
export class KeysListCommand extends VerbCommand<ListOptions> {
  protected async answer(_: string[], { projectId, limit, cursor }: ListOptions): Promise<Answer> {
    const { withKeys } = await import('../keys-session.js');
    const { keyPage } = await import('../key-answers.js');
    return withKeys(async (keys, operator) => {
      const page = await keys.list(operator, { project: projectId, limit, cursor });
      return keyPage(page, this.terminal.interactive);
    });
  }

  @Option({ flags: '--project-id <project>', description: 'only the keys of this project' })
  parseProjectId(value: string): string {
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
