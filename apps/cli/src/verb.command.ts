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
}

export function say({ json, text, note, failed }: Answer, asJson: boolean, terminal: Terminal): void {
  if (asJson) terminal.json(json);
  else {
    if (text) terminal.print(text);
    if (note) terminal.say(note);
  }
  if (failed) terminal.exitCode = 1;
}

/** A verb that answers once: with --json exactly one JSON value on stdout, else text for a person. */
@Injectable()
export abstract class VerbCommand<Options extends object = object> extends CommandRunner {
  constructor(protected readonly terminal: Terminal) {
    super();
  }

  protected abstract answer(args: string[], options: Options): Promise<Answer>;

  override async run(args: string[], options: Options & { json?: boolean }): Promise<void> {
    say(await this.answer(args, options), options.json === true, this.terminal);
  }

  @Option({ flags: '--json', description: 'print one JSON value' })
  parseJson(): boolean {
    return true;
  }
}
