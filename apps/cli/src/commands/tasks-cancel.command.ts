import { SubCommand } from 'nest-commander';
import { keyedServer } from '../http/live-server.js';
import { LiveCommand } from '../live.command.js';
import type { Answer } from '../verb.command.js';

@SubCommand({
  name: 'cancel',
  arguments: '<task>',
  description: 'end a task, with the key in CLAUDE_API_KEY; what it had done is kept',
})
export class TasksCancelCommand extends LiveCommand {
  protected async answer([id = '']: string[], { url }: { url?: string }): Promise<Answer> {
    const { TaskClient } = await import('../http/task-client.js');
    const json = await new TaskClient(keyedServer(url)).cancel(id);
    return { json, text: json.status === 'cancelled' ? 'cancelled' : `${json.status}, will be cancelled` };
  }
}
