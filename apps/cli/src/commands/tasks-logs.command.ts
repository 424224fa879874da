import { Option, SubCommand } from 'nest-commander';
import { interruptible } from '../interruptible.js';
import { LiveCommand } from '../live.command.js';
import { wholeNumber } from '../option-values.js';
import { cut } from '../printable.js';
import { type ToldEvent, wordsOf } from '../progress/event-words.js';
import { withTasks } from '../task-access.js';
import type { Given } from '../verb.command.js';

interface LogsOptions {
  follow?: boolean;
  after?: number;
}

const MOST_EVENTS = 999_999_999;
/** The longest name of an event. */
const TYPE_COLUMNS = 'permission_denied'.length;

@SubCommand({
  name: 'logs',
  arguments: '<task>',
  description: 'what happened in a task, a line for each event; with --json a JSON value for each',
})
export class TasksLogsCommand extends LiveCommand<LogsOptions> {
  protected async answer(
    [id = '']: string[],
    { follow, after = 0, url, json }: Given<LogsOptions & { url?: string }>,
  ): Promise<undefined> {
    const print = (event: ToldEvent) => this.print(event, json === true);
    if (follow) await this.follow(id, { url, after }, print);
    else await printAll(id, { url, after }, print);
  }

  /** Ctrl-C ends the reading; the task goes on. */
  private async follow(
    id: string,
    { url, after }: { url?: string; after: number },
    print: (event: ToldEvent) => void,
  ): Promise<void> {
    const { keyedServer } = await import('../http/live-server.js');
    const { TaskClient } = await import('../http/task-client.js');
    const client = new TaskClient(keyedServer(url));
    await interruptible(this.terminal, async (signal) => {
      const onCut = (reason: string) => this.terminal.say(`${reason}: trying again`);
      for await (const event of client.follow(id, { after, signal, onCut })) print(event);
    });
  }

  private print(event: ToldEvent, json: boolean): void {
    if (json) return this.terminal.jsonLine(event);
    const time = event.timestamp.replace('T', ' ').replace('Z', '');
    const line = `${time}  ${event.type.padEnd(TYPE_COLUMNS)}  ${wordsOf(event)}`;
    this.terminal.write(`${this.terminal.interactive ? cut(line, this.terminal.columns) : line}\n`);
  }

  @Option({ flags: '-f, --follow', description: 'go on until its end, with the key in CLAUDE_API_KEY' })
  parseFollow(): boolean {
    return true;
  }

  @Option({ flags: '--after <n>', description: 'only the events behind this one' })
  parseAfter(value: string): number {
    return wholeNumber('--after', value, 0, MOST_EVENTS);
  }
}

function printAll(
  id: string,
  { url, after }: { url?: string; after: number },
  print: (event: ToldEvent) => void,
): Promise<void> {
  return withTasks({ url }, async (tasks) => {
    for (let last = after, more = true; more;) {
      const { data, has_more } = await tasks.eventPage(id, last);
      for (const event of data as ToldEvent[]) {
        print(event);
        last = event.seq;
      }
      more = has_more;
    }
  });
}
