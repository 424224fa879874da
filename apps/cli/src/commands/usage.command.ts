import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { UsageByModelCommand } from './usage-by-model.command.js';
import { UsageByProjectCommand } from './usage-by-project.command.js';
import { UsageExportCommand } from './usage-export.command.js';
import { UsageRebuildCommand } from './usage-rebuild.command.js';
import { UsageSummaryCommand } from './usage-summary.command.js';

@Command({
  name: 'usage',
  description: 'what was used',
  subCommands: [
    UsageSummaryCommand,
    UsageByProjectCommand,
    UsageByModelCommand,
    UsageExportCommand,
    UsageRebuildCommand,
  ],
})
export class UsageCommand extends GroupCommand {}
