import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'list', description: 'all tiers, side by side' })
export class TiersListCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { allTiers } = await import('../tier-answers.js');
    return allTiers(this.terminal.interactive);
  }
}
