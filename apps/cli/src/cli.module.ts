import { type DynamicModule, Module } from '@nestjs/common';
import { CommandTree } from './command-tree.js';
import { AuditCommand } from './commands/audit.command.js';
import { BudgetsCommand } from './commands/budgets.command.js';
import { CompleteCommand } from './commands/complete.command.js';
import { ConfigCommand } from './commands/config.command.js';
import { DbCommand } from './commands/db.command.js';
import { DoctorCommand } from './commands/doctor.command.js';
import { HealthCommand } from './commands/health.command.js';
import { KeysCommand } from './commands/keys.command.js';
import { PolicyCommand } from './commands/policy.command.js';
import { ProjectsCommand } from './commands/projects.command.js';
import { ServeCommand } from './commands/serve.command.js';
import { TasksCommand } from './commands/tasks.command.js';
import { TiersCommand } from './commands/tiers.command.js';
import { UsageCommand } from './commands/usage.command.js';
import { Terminal } from './terminal.js';

const COMMANDS = [
  ServeCommand,
  CompleteCommand,
  ...TasksCommand.registerWithSubCommands(),
  ...KeysCommand.registerWithSubCommands(),
  ...ProjectsCommand.registerWithSubCommands(),
  ...TiersCommand.registerWithSubCommands(),
  ...BudgetsCommand.registerWithSubCommands(),
  ...PolicyCommand.registerWithSubCommands(),
  ...UsageCommand.registerWithSubCommands(),
  ...AuditCommand.registerWithSubCommands(),
  HealthCommand,
  DoctorCommand,
  ...ConfigCommand.registerWithSubCommands(),
  ...DbCommand.registerWithSubCommands(),
];

/** The commands alone. What a verb works with is loaded when it runs, so that `--help` stays quick. */
@Module({})
export class CliModule {
  static on(terminal: Terminal): DynamicModule {
    return {
      module: CliModule,
      providers: [...COMMANDS, CommandTree, { provide: Terminal, useValue: terminal }],
    };
  }
}
