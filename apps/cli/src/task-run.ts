import { PassingFailure } from './failures.js';
import type { TaskClient } from './http/task-client.js';
import { activityOf, type ToldEvent } from './progress/event-words.js';
import type { Progress } from './progress/progress.js';
import type { Terminal } from './terminal.js';

/**
 * Follows a task to its end and shows what it does. When `signal` fires it cancels the task, and still waits for
 * its end; without a server that takes the cancel it says so and gives up.
 */
export class TaskRun {
  private readonly givenUp = new AbortController();

  constructor(
    private readonly client: TaskClient,
    private readonly id: string,
    private readonly progress: Progress,
    private readonly terminal: Terminal,
  ) {}

  async toItsEnd(signal: AbortSignal): Promise<void> {
    const cancel = () => void this.cancel();
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel);
    try {
      const onCut = (reason: string) => this.progress.now(`${reason}: trying again`);
      const events = this.client.follow(this.id, { signal: this.givenUp.signal, onCut });
      for await (const event of events) this.show(event);
    } catch (error) {
      if (error instanceof PassingFailure) {
        this.terminal.say(`the task may still be at work: claude-api tasks show ${this.id}`);
      }
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
      this.progress.end();
    }
  }

  private show(event: ToldEvent): void {
    const { cost_usd: cost } = event;
    this.progress.now(activityOf(event), typeof cost === 'number' ? cost : undefined);
  }

  private async cancel(): Promise<void> {
    try {
      await this.client.cancel(this.id);
    } catch (error) {
      // It has ended by itself: its last event is on the way.
      if ((error as { code?: string }).code === 'conflict') return;
      this.progress.end();
      this.terminal.say(`error: ${this.id} could not be cancelled: ${(error as Error).message}`);
      this.givenUp.abort();
    }
  }
}
