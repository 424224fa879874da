import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

/** What a process is told, one message after the other for as long as it lives. Has one reader. */
export class MessageQueue implements AsyncIterable<SDKUserMessage> {
  private readonly waiting: SDKUserMessage[] = [];
  private wake: (() => void) | undefined;
  private isClosed = false;

  push(message: SDKUserMessage): void {
    this.waiting.push(message);
    this.wake?.();
  }

  close(): void {
    this.isClosed = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SDKUserMessage> {
    while (!this.isClosed) {
      yield* this.waiting.splice(0);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (this.isClosed || this.waiting.length > 0) resolve();
      });
    }
  }
}
