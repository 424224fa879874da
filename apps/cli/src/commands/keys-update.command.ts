import { Option, SubCommand } from 'nest-commander';
import { UsageError } from '../failures.js';
import { collected, duration, wholeNumber } from '../option-values.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface UpdateOptions {
  profile?: string;
  name?: string;
  rateLimit?: number | 'tier';
  expiresIn?: number | 'never';
  allowAgent?: string[];
  allowSkill?: string[];
  model?: string[];
}

@SubCommand({ name: 'update', arguments: '<key>', description: 'change what a key may do' })
export class KeysUpdateCommand extends VerbCommand<UpdateOptions> {
  protected async answer([ref = '']: string[], options: UpdateOptions): Promise<Answer> {
    const { json: _, ...changes } = options as UpdateOptions & { json?: boolean };
    if (Object.keys(changes).length === 0) throw new UsageError('nothing to change was given');
    const { withKeys } = await import('../keys-session.js');
    const { oneKey } = await import('../key-answers.js');
    return withKeys(async (keys, operator, clock) => {
      const { expiresIn, rateLimit, model } = changes;
      const expiresAt =
        typeof expiresIn === 'number'
          ? new Date(clock.now().getTime() + expiresIn * 1000)
          : expiresIn && null;
      const changed = await keys.update(operator, ref, {
        name: changes.name,
        tier: changes.profile,
        requestsPerMinute: rateLimit === 'tier' ? null : rateLimit,
        expiresAt,
        agents: emptiedBy('none', changes.allowAgent),
        skills: emptiedBy('none', changes.allowSkill),
        models: model?.join() === 'tier' ? null : model,
      });
      return oneKey(changed);
    });
  }

  @Option({ flags: '--profile <tier>', description: 'free, pro, enterprise or one of your own' })
  parseProfile(value: string): string {
    return value;
  }

  @Option({ flags: '--name <name>', description: 'a name for people' })
  parseName(value: string): string {
    return value;
  }

  @Option({ flags: '--rate-limit <n>', description: 'requests per minute; "tier" = as its tier says' })
  parseRateLimit(value: string): number | 'tier' {
    return value === 'tier' ? value : wholeNumber('--rate-limit', value, 1, 1_000_000);
  }

  @Option({ flags: '--expires-in <duration>', description: 'from now, such as 12h or 30d; or "never"' })
  parseExpiresIn(value: string): number | 'never' {
    return value === 'never' ? value : duration('--expires-in', value);
  }

  @Option({ flags: '--allow-agent <agents...>', description: 'the agents it may use; "none" = no more' })
  parseAllowAgent(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--allow-skill <skills...>', description: 'the skills it may use; "none" = no more' })
  parseAllowSkill(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({
    flags: '--model <models...>',
    description: 'the only models it may use; "tier" = as its tier says',
  })
  parseModel(value: string, before?: string[]): string[] {
    return collected(value, before);
  }
}

function emptiedBy(word: string, names: string[] | undefined): string[] | undefined {
  return names?.join() === word ? [] : names;
}
