import { CommandRunner } from 'nest-commander';
import { UsageError } from './failures.js';

/** A word that only groups verbs: alone, or with a verb that it does not have, it is a wrong line. */
export abstract class GroupCommand extends CommandRunner {
  override async run([verb]: string[]): Promise<void> {
    const verbs = this.command.commands.map((command) => command.name()).join(', ');
    const name = this.command.name();
    throw new UsageError(
      verb === undefined ? `${name} needs one of: ${verbs}` : `${name} has no "${verb}", only: ${verbs}`,
    );
  }
}
