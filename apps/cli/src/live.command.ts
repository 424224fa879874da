import { Option } from 'nest-commander';
import { VerbCommand } from './verb.command.js';

/** A verb that asks a running server; which one can be said. */
export abstract class LiveCommand<Options extends object = object> extends VerbCommand<
  Options & { url?: string }
> {
  @Option({ flags: '--url <url>', description: 'default: CLAUDE_API_URL, else this machine' })
  parseUrl(value: string): string {
    return value;
  }
}
