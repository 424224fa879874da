import { Command, CommandRunner, Option } from 'nest-commander';
import { UsageError } from '../failures.js';
import { wholeNumber } from '../option-values.js';

/** Here for `--help` only: `bin/claude-api` starts the server itself when `serve` is the first word. */
@Command({ name: 'serve', description: 'start the server' })
export class ServeCommand extends CommandRunner {
  override async run(): Promise<void> {
    throw new UsageError('"serve" must be the first word');
  }

  @Option({ flags: '--demo', description: 'answer from a scripted model: no account, no cost' })
  parseDemo(): boolean {
    return true;
  }

  @Option({ flags: '--port <port>', description: 'default: PORT, else 8006' })
  parsePort(value: string): number {
    return wholeNumber('--port', value, 0, 65_535);
  }

  @Option({ flags: '--host <address>', description: 'default: HOST, else 127.0.0.1' })
  parseHost(value: string): string {
    return value;
  }
}
