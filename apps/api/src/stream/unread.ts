/** The frames that were sent and have not left this process yet: since when, and who waits for them to leave. */
export class Unread {
  private readonly sentAt: number[] = [];
  private readonly waiting: (() => void)[] = [];

  /** To be called when the frame that is sent now has left, or can no longer. */
  sent(): () => void {
    this.sentAt.push(performance.now());
    return () => {
      this.sentAt.shift();
      if (this.sentAt.length === 0) this.letGo();
    };
  }

  /** Milliseconds that the oldest one has been waiting. */
  since(now: number): number {
    return now - (this.sentAt[0] ?? now);
  }

  /** Resolves when all have left. */
  async taken(): Promise<void> {
    if (this.sentAt.length > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** There is nothing to wait for any more. */
  letGo(): void {
    for (const go of this.waiting.splice(0)) go();
  }
}
