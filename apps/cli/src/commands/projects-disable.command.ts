import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({
  name: 'disable',
  arguments: '<project>',
  description: 'stop a project: none of its keys works until it is enabled',
})
export class ProjectsDisableCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { oneProject } = await import('../project-answers.js');
    return oneProject((projects, operator) => projects.disable(operator, id));
  }
}
