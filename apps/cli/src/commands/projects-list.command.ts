import { SubCommand } from 'nest-commander';
import { ListCommand, type PageOptions } from '../list.command.js';
import type { Answer } from '../verb.command.js';

@SubCommand({ name: 'list', description: 'by name' })
export class ProjectsListCommand extends ListCommand {
  protected async answer(_: string[], { limit, cursor }: PageOptions): Promise<Answer> {
    const { allProjects } = await import('../project-answers.js');
    return allProjects({ limit, cursor }, this.terminal.interactive);
  }
}
