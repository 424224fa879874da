import type { Response } from 'express';

const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long is given up. */
export const LONGEST_STALL_MS = 30_000;

/**
 * Server-sent events for one reader: `id` is the sequence number, `event` the type and `data` the whole event.
 * Waits for a slow reader but not for one that stopped reading: that one is `gone`. Must be closed.
 */
export class EventStream {
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly response: Response) {
    response
      .status(200)
      .set({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
    response.flushHeaders();
    // A comment keeps proxies from closing a stream that is silent because the model thinks.
    this.heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
  }

  get gone(): boolean {
    return this.response.destroyed;
  }

  async send(seq: number, type: string, data: object): Promise<void> {
    if (this.gone) return;
    const text = `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    if (!this.response.write(text)) await this.drained();
  }

  /** Stops the heartbeat and, unless something failed, ends the answer. */
  close(whole = true): void {
    clearInterval(this.heartbeat);
    if (whole) this.response.end();
  }

  private async drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stalled = setTimeout(() => this.response.destroy(), LONGEST_STALL_MS);
      const done = () => {
        clearTimeout(stalled);
        this.response.off('drain', done).off('close', done);
        resolve();
      };
      this.response.on('drain', done).on('close', done);
    });
  }
}
