import { SubCommand } from 'nest-commander';
import { type Answer, VerbCommand } from '../verb.command.js';

@SubCommand({ name: 'public-key', description: 'what others need to verify an export' })
export class AuditPublicKeyCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { publicKey } = await import('../audit-answers.js');
    return publicKey();
  }
}
