import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { collected, duration, wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface CreateOptions {
  projectId?: string;
  profile?: string;
  name?: string;
  rateLimit?: number;
  expiresIn?: number;
  allowAgent?: string[];
  allowSkill?: string[];
  model?: string[];
  admin?: boolean;
}

@SubCommand({ name: 'create', description: 'make a key; its secret is printed this once' })
export class KeysCreateCommand extends VerbCommand<CreateOptions> {
  protected async answer(_: string[], options: CreateOptions): Promise<Answer> {
    if (options.projectId === undefined && !options.admin) {
      throw new UsageError('--project-id is needed: the project that the key belongs to');
    }
    const { withKeys } = await import('../keys-session.js');
    const { issuedKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator) =>
      issuedKey(
        await keys.create(operator, {
          project: options.projectId,
          tier: options.profile,
          name: options.name,
          requestsPerMinute: options.rateLimit,
          expiresInSeconds: options.expiresIn,
          agents: options.allowAgent,
          skills: options.allowSkill,
          models: options.model,
          admin: options.admin,
        }),
      ),
    );
  }

  @Option({
    flags: '--project-id <project>',
    description: 'the project it belongs to, made by its first key',
  })
  parseProjectId(value: string): string {
    return value;
  }

  @Option({ flags: '--profile <tier>', description: 'free (default), pro, enterprise or one of your own' })
  parseProfile(value: string): string {
    return value;
  }

  @Option({ flags: '--name <name>', description: 'a name for people' })
  parseName(value: string): string {
    return value;
  }

  @Option({ flags: '--rate-limit <n>', description: 'requests per minute, below what the tier allows' })
  parseRateLimit(value: string): number {
    return wholeNumber('--rate-limit', value, 1, 1_000_000);
  }

  @Option({ flags: '--expires-in <duration>', description: 'such as 12h or 30d; default: never' })
  parseExpiresIn(value: string): number {
    return duration('--expires-in', value);
  }

  @Option({
    flags: '--allow-agent <agents...>',
    description: 'agents it may use, where its tier asks for a grant',
  })
  parseAllowAgent(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({
    flags: '--allow-skill <skills...>',
    description: 'skills it may use, where its tier asks for a grant',
  })
  parseAllowSkill(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--model <models...>', description: 'the only models it may use: haiku, sonnet, opus' })
  parseModel(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--admin', description: 'an administration key: it manages keys and cannot infer' })
  parseAdmin(): boolean {
    return true;
  }
}
