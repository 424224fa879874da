import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'enable', arguments: '<project>', description: 'let a stopped project work again' })
export class ProjectsEnableCommand extends VerbCommand {
  protected async answer([id = '']: string[]): Promise<Answer> {
    const { oneProject } = await import('../project-answers.js');
    return oneProject((projects, operator) => projects.enable(operator, id));
  }
}
