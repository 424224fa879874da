import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { ProjectsCreateCommand } from './projects-create.command.js';
import { ProjectsDisableCommand } from './projects-disable.command.js';
import { ProjectsEnableCommand } from './projects-enable.command.js';
import { ProjectsListCommand } from './projects-list.command.js';
import { ProjectsShowCommand } from './projects-show.command.js';

@Command({
  name: 'projects',
  description: 'the tenants: make, show, stop',
  subCommands: [
    ProjectsListCommand,
    ProjectsShowCommand,
    ProjectsCreateCommand,
    ProjectsDisableCommand,
    ProjectsEnableCommand,
  ],
})
export class ProjectsCommand extends GroupCommand {}
