/** Waits for a time, or until somebody says that it is worth looking again; what was said meanwhile counts too. */
export class Wake {
  private called = false;
  private resolve: (() => void) | undefined;

  now(): void {
    this.called = true;
    this.resolve?.();
  }

  async within(ms: number): Promise<void> {
    if (!this.called) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.called = false;
    this.resolve = undefined;
  }
}
