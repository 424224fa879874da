import { Option } from 'nest-commander';
import type { UsageQuestion } from '@app/budgets';
import { VerbCommand } from './verb.command.js';

/** Of when and of whom: what `usage` commands share. What is no time or no name is for the service to refuse. */
export abstract class UsageVerbCommand<More extends object = object> extends VerbCommand<
  UsageQuestion & More
> {
  @Option({
    flags: '--period <period>',
    description: 'day, week or month (default): the one that is under way',
  })
  parsePeriod(value: string): UsageQuestion['period'] {
    return value as UsageQuestion['period'];
  }

  @Option({ flags: '--from <time>', description: 'instead of a period: 2026-11-01 or 2026-11-01T09:00:00Z' })
  parseFrom(value: string): string {
    return value;
  }

  @Option({ flags: '--to <time>', description: 'before; default: now' })
  parseTo(value: string): string {
    return value;
  }

  @Option({ flags: '--time-zone <name>', description: 'where days begin; default: UTC' })
  parseTimeZone(value: string): string {
    return value;
  }

  @Option({ flags: '--project <project>', description: 'only of this project' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--key <id>', description: 'only of this key', name: 'keyId' })
  parseKey(value: string): string {
    return value;
  }

  @Option({ flags: '--model <model>', description: 'only of this model' })
  parseModel(value: string): string {
    return value;
  }
}
