import { CommandRunner, Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { Terminal } from '../terminal.js';

interface ExportOptions {
  project?: string;
  format?: 'jsonl' | 'csv';
}

/** Whole chains to stdout, piece by piece: it may be more than fits into memory. */
@SubCommand({ name: 'export', description: 'whole chains, to be verified anywhere' })
export class AuditExportCommand extends CommandRunner {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  override async run(_: string[], { project, format = 'jsonl' }: ExportOptions): Promise<void> {
    const { exported } = await import('../audit-answers.js');
    await exported({ project, format }, this.terminal);
  }

  @Option({ flags: '--project <project>', description: 'only the chain of this project' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--format <format>', description: 'jsonl (default), or csv, which cannot be verified' })
  parseFormat(value: string): 'jsonl' | 'csv' {
    if (value === 'jsonl' || value === 'csv') return value;
    throw new UsageError('--format must be jsonl or csv');
  }
}
