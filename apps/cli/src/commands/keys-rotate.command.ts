import { Option, SubCommand } from 'nest-commander';
import { duration } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface RotateOptions {
  overlap?: number;
}

@SubCommand({ name: 'rotate', arguments: '<key>', description: 'a new secret for the same key' })
export class KeysRotateCommand extends VerbCommand<RotateOptions> {
  protected async answer([ref = '']: string[], { overlap }: RotateOptions): Promise<Answer> {
    const { withKeys } = await import('../keys-session.js');
    const { issuedKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator) =>
      issuedKey(await keys.rotate(operator, ref, { overlapSeconds: overlap })),
    );
  }

  @Option({ flags: '--overlap <duration>', description: 'how long the old secret still works; default: 1d' })
  parseOverlap(value: string): number {
    return duration('--overlap', value);
  }
}
