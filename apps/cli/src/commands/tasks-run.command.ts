import { Option, SubCommand } from 'nest-commander';
import type { TaskDto } from '@app/tasks';
import { keyedServer } from '../http/live-server.js';
import { TaskClient } from '../http/task-client.js';
import { interruptible } from '../interruptible.js';
import { collected, decimal, wholeNumber } from '../option-values.js';
import { liveProgress, PlainProgress } from '../progress/progress.js';
import { argumentOrStdin } from '../read-stdin.js';
import { RunCommand } from '../run.command.js';
import { type TaskOptions, taskRequest } from '../task-request.js';
import type { Answer, Given } from '../verb.command.js';

type RunTaskOptions = TaskOptions & { detach?: boolean };

/** A task on a running server, followed to its end. Ctrl-C cancels it. */
@SubCommand({
  name: 'run',
  arguments: '<description>',
  argsDescription: { description: 'what to do; "-": read from stdin' },
  description: 'have a task done and watch it, with the key in CLAUDE_API_KEY; Ctrl-C cancels it',
})
export class TasksRunCommand extends RunCommand<RunTaskOptions> {
  protected async answer(
    [argument]: string[],
    options: Given<RunTaskOptions & { url?: string }>,
  ): Promise<Answer | undefined> {
    const server = keyedServer(options.url);
    const request = await taskRequest(await argumentOrStdin('description', argument), options);
    const client = new TaskClient(server);
    return interruptible(this.terminal, async (signal) => {
      signal.addEventListener('abort', () => this.terminal.say('cancelling; Ctrl-C again leaves at once'));
      const accepted = await this.submit(client, request, signal);
      if (options.detach) return { json: accepted, text: accepted.id };
      await this.follow(client, accepted.id, signal);
      const { endedTask } = await import('../task-answers.js');
      return endedTask(await client.show(accepted.id), server.url, this.terminal.interactive);
    });
  }

  /** A signal does not end it: a task that was accepted has to be cancelled, and for that its id is needed. */
  private async submit(client: TaskClient, request: object, signal: AbortSignal): Promise<TaskDto> {
    try {
      return await client.submit(request, signal);
    } catch (error) {
      if (signal.aborted) this.terminal.say('the task may have been accepted: see claude-api tasks list');
      throw error;
    }
  }

  private async follow(client: TaskClient, id: string, signal: AbortSignal): Promise<void> {
    const { TaskRun } = await import('../task-run.js');
    const progress = (await liveProgress(this.terminal)) ?? new PlainProgress(this.terminal);
    progress.now(id);
    await new TaskRun(client, id, progress, this.terminal).toItsEnd(signal);
  }

  @Option({
    flags: '--allow-tool <tools...>',
    description: 'tools that it may use, or "none"; default: what the tier gives',
  })
  parseAllowTool(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--allow-agent <agents...>', description: 'the same for agents' })
  parseAllowAgent(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--allow-skill <skills...>', description: 'the same for skills' })
  parseAllowSkill(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--max-cost <usd>', description: 'the most that it may cost; default: the tier’s' })
  parseMaxCost(value: string): number {
    return decimal('--max-cost', value, 0, 10_000);
  }

  @Option({ flags: '--max-turns <n>', description: 'how many times the model may act' })
  parseMaxTurns(value: string): number {
    return wholeNumber('--max-turns', value, 1, 1000);
  }

  @Option({ flags: '--workspace <name>', description: 'a folder of the project that stays' })
  parseWorkspace(value: string): string {
    return value;
  }

  @Option({ flags: '--file <path>', description: 'a local file to give it; may be repeated' })
  parseFile(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--system-append <text>', description: 'added to the instructions of the model' })
  parseSystemAppend(value: string): string {
    return value;
  }

  @Option({ flags: '--output-schema <file>', description: 'a JSON Schema that the result has to fit' })
  parseOutputSchema(value: string): string {
    return value;
  }

  @Option({ flags: '--detach', description: 'print its id and leave; it goes on' })
  parseDetach(): boolean {
    return true;
  }
}
