import { Option, SubCommand } from 'nest-commander';
import { wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface ListOptions {
  limit?: number;
  cursor?: string;
}

@SubCommand({ name: 'list', description: 'by name' })
export class ProjectsListCommand extends VerbCommand<ListOptions> {
  protected async answer(_: string[], { limit, cursor }: ListOptions): Promise<Answer> {
    const { allProjects } = await import('../project-answers.js');
    return allProjects({ limit, cursor }, this.terminal.interactive);
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
