import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'show', arguments: '<project>', description: 'one project, and how many keys it has' })
export class ProjectsShowCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { oneProject } = await import('../project-answers.js');
    return oneProject((projects, operator) => projects.show(operator, id));
  }
}
