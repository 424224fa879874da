/** What comes from several sides, in the order in which it came, for one reader after the other. */
export class Inbox<T> {
  private readonly waiting: T[] = [];
  private wake: (() => void) | undefined;
  private error: Error | undefined;

  push(item: T): void {
    this.waiting.push(item);
    this.wake?.();
  }

  /** Nothing comes any more, for this reason. */
  end(error: Error): void {
    this.error ??= error;
    this.wake?.();
  }

  /** Rejects with the reason once all was taken that came before the end. */
  async next(): Promise<T> {
    while (this.waiting.length === 0) {
      if (this.error) throw this.error;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return this.waiting.shift() as T;
  }
}
