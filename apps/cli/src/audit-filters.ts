import { Option } from 'nest-commander';
import type { AuditQuestion } from '@app/audit';
import { time } from './option-values.js';
import { VerbCommand } from './verb.command.js';

/** The filters that `audit list` and `audit tail` share. What they are compared with is for the audit to refuse. */
export abstract class AuditFilterOptions<Question extends AuditQuestion> extends VerbCommand<Question> {
  @Option({ flags: '--project <project>', description: 'only events of this project' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--type <type>', description: 'such as key.created' })
  parseType(value: string): string {
    return value;
  }

  @Option({ flags: '--actor <id>', description: 'who did it' })
  parseActor(value: string): string {
    return value;
  }

  @Option({ flags: '--target <id>', description: 'to what' })
  parseTarget(value: string): string {
    return value;
  }

  @Option({ flags: '--outcome <outcome>', description: 'ok, denied or failed' })
  parseOutcome(value: string): string {
    return value;
  }

  @Option({ flags: '--from <time>', description: 'not before, such as 2026-11-21 or 2026-11-21T09:00:00Z' })
  parseFrom(value: string): Date {
    return time('--from', value);
  }
}
