import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { TasksCancelCommand } from './tasks-cancel.command.js';
import { TasksListCommand } from './tasks-list.command.js';
import { TasksLogsCommand } from './tasks-logs.command.js';
import { TasksRunCommand } from './tasks-run.command.js';
import { TasksShowCommand } from './tasks-show.command.js';

@Command({
  name: 'tasks',
  description: 'have tasks done, and see to them',
  subCommands: [TasksRunCommand, TasksListCommand, TasksShowCommand, TasksCancelCommand, TasksLogsCommand],
})
export class TasksCommand extends GroupCommand {}
