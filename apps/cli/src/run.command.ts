import { Option } from 'nest-commander';
import { wholeNumber } from './option-values.js';
import { LiveCommand } from './live.command.js';

/** What every run can be told, be it of a completion or of a task. */
export interface RunOptions {
  model?: string;
  timeout?: number;
}

/** A verb that has a model run on a server. */
export abstract class RunCommand<Options extends object> extends LiveCommand<Options & RunOptions> {
  @Option({ flags: '--model <model>', description: 'haiku, sonnet, opus, a full id, or auto (default)' })
  parseModel(value: string): string {
    return value;
  }

  @Option({ flags: '--timeout <seconds>', description: 'when the run is cut; default: the tier’s' })
  parseTimeout(value: string): number {
    return wholeNumber('--timeout', value, 1, 3600);
  }
}
