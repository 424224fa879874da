import type { Claim } from '../task.js';

/** A task in the hands of this process, from its claim to its end. */
export class Hold {
  private readonly stop = new AbortController();
  private wasLost = false;
  private wasCancelled = false;

  /** `sureUntil`: until then, on the monotonic clock, nobody else can have taken the task. */
  constructor(
    readonly claim: Claim,
    public sureUntil: number,
  ) {}

  /** Fires when the run has to end at once. */
  get signal(): AbortSignal {
    return this.stop.signal;
  }

  /** The task is somebody else's: nothing more may be written for it. */
  get lost(): boolean {
    return this.wasLost;
  }

  get cancelled(): boolean {
    return this.wasCancelled;
  }

  cancel(): void {
    this.wasCancelled = true;
    this.stop.abort('cancelled');
  }

  lose(): void {
    this.wasLost = true;
    this.stop.abort('lost');
  }
}
