import { Option, SubCommand } from 'nest-commander';
import { ListCommand, type PageOptions } from '../list.command.js';
import type { Answer } from '../verb.command.js';

interface ListOptions extends PageOptions {
  projectId?: string;
}

@SubCommand({ name: 'list', description: 'the newest first' })
export class KeysListCommand extends ListCommand<ListOptions> {
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
}
