import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({
  name: 'create',
  arguments: '<project>',
  description: 'make a project; its first key makes one, too',
})
export class ProjectsCreateCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { oneProject } = await import('../project-answers.js');
    return oneProject((projects, operator) => projects.create(operator, id));
  }
}
