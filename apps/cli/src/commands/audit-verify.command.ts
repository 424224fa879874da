import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface VerifyOptions {
  project?: string;
  publicKey?: string;
  anchors?: string;
}

@SubCommand({
  name: 'verify',
  arguments: '[file]',
  argsDescription: { file: 'an export; left out: what the database holds' },
  description: 'check every link; exit code 1 names the first event that is not as it was written',
})
export class AuditVerifyCommand extends VerbCommand<VerifyOptions> {
  protected async answer([file]: string[], options: VerifyOptions): Promise<Answer> {
    const { project, publicKey, anchors } = options;
    if (file !== undefined && project !== undefined) {
      throw new UsageError('--project is for the database: a file is verified whole');
    }
    if (file === undefined && (publicKey !== undefined || anchors !== undefined)) {
      throw new UsageError('--public-key and --anchors are for a file');
    }
    const answers = await import('../audit-answers.js');
    return file === undefined ? answers.verifiedChains(project) : answers.verifiedFile(file, options);
  }

  @Option({ flags: '--project <project>', description: 'only the chain of this project' })
  parseProject(value: string): string {
    return value;
  }

  @Option({ flags: '--public-key <key>', description: 'instead of the AUDIT_KEY: ed25519:…' })
  parsePublicKey(value: string): string {
    return value;
  }

  @Option({ flags: '--anchors <file>', description: 'checkpoints kept elsewhere: a copy of the log' })
  parseAnchors(value: string): string {
    return value;
  }
}
