import { Logger } from '@nestjs/common';

/**
 * Steps that are done again and again beside the work of a process. Guarantees: one at a time, and a step that takes
 * long lets others fall out; one that fails is logged and tried again; none is under way once `stop` has resolved.
 */
export class Upkeep {
  private readonly timers: NodeJS.Timeout[] = [];
  private running: Promise<void> | undefined;

  /** `name` begins what is logged: "the audit's upkeep". */
  constructor(
    private readonly logger: Logger,
    private readonly name: string,
  ) {}

  every(ms: number, step: () => Promise<void>): void {
    this.timers.push(setInterval(() => void this.do(step), ms).unref());
  }

  /** Now, unless another step is under way. Resolves with whichever is. */
  do(step: () => Promise<void>): Promise<void> {
    this.running ??= step()
      .catch((error) => this.logger.warn(`${this.name} failed: ${(error as Error).message}`))
      .finally(() => (this.running = undefined));
    return this.running;
  }

  async stop(): Promise<void> {
    this.timers.forEach((timer) => clearInterval(timer));
    await this.running;
  }
}
