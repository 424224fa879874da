import { Option, SubCommand } from 'nest-commander';
import { LiveCommand } from '../live.command.js';
import { wholeNumber } from '../option-values.js';
import { withTasks } from '../task-access.js';
import type { TaskQuery } from '../task-reader.js';
import type { Answer } from '../verb.command.js';

interface ListOptions extends TaskQuery {
  project?: string;
}

@SubCommand({
  name: 'list',
  description: 'the newest first: those of the key’s project, without CLAUDE_API_KEY those of all',
})
export class TasksListCommand extends LiveCommand<ListOptions> {
  protected async answer(
    _: string[],
    { url, project, status, limit, cursor }: ListOptions & { url?: string },
  ): Promise<Answer> {
    const { taskPage } = await import('../task-answers.js');
    return withTasks({ url, project }, async (tasks) =>
      taskPage(await tasks.list({ status, limit, cursor }), this.terminal.interactive),
    );
  }

  @Option({ flags: '--status <status>', description: 'queued, running, succeeded, failed, …' })
  parseStatus(value: string): string {
    return value;
  }

  @Option({ flags: '--project <project>', description: 'only those of this project (without a key)' })
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
