import { Injectable } from '@nestjs/common';
import { CommandRunner, Option } from 'nest-commander';
import { Terminal } from './terminal.js';

/** What a verb has to say. `json`: one value, in the REST answers' shape. `text`: the same for a person. */
export interface Answer {
  json: unknown;
  text: string;
  /** Beside the point of the command; goes to stderr, never with --json. */
  note?: string;
  /** The command worked and its finding is bad: exit code 1. */
  failed?: boolean;
  /** … and why: one line on stderr, with --json too. */
  reason?: string;
}

/** The options of a verb, with those that every verb has. */
export type Given<Options extends object> = Options & { json?: boolean };

/**
 * A verb that answers once: with --json exactly one JSON value on stdout, else text for a person. One whose answer
 * comes piece by piece has written it when it is done, and has none.
 */
@Injectable()
export abstract class VerbCommand<Options extends object = object> extends CommandRunner {
  constructor(protected readonly terminal: Terminal) {
    super();
  }

  protected abstract answer(args: string[], options: Given<Options>): Promise<Answer | undefined>;

  override async run(args: string[], options: Given<Options>): Promise<void> {
    const answer = await this.answer(args, options);
    if (!answer) return;
    const { json, text, note, failed, reason } = answer;
    if (options.json) this.terminal.json(json);
    else {
      if (text) this.terminal.print(text);
      if (note) this.terminal.say(note);
    }
    if (reason) this.terminal.say(`error: ${reason}`);
    // A signal's exit code stays.
    if (failed) this.terminal.exitCode ||= 1;
  }

  @Option({ flags: '--json', description: 'print JSON' })
  parseJson(): boolean {
    return true;
  }
}
