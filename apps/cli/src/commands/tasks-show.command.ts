import { SubCommand } from 'nest-commander';
import { LiveCommand } from '../live.command.js';
import { withTasks } from '../task-access.js';
import type { Answer } from '../verb.command.js';

@SubCommand({ name: 'show', arguments: '<task>', description: 'one task as it is now, and what it said' })
export class TasksShowCommand extends LiveCommand {
  protected async answer([id = '']: string[], { url }: { url?: string }): Promise<Answer> {
    const { oneTask } = await import('../task-answers.js');
    return withTasks({ url }, async (tasks) => oneTask(await tasks.show(id), this.terminal.interactive));
  }
}
