import type { NewTaskEvent } from '../task-event.js';

const FLUSH_AFTER_MS = 50;
const FLUSH_FROM_CHARS = 1024;
/** A run that tells more than the database takes has to wait. */
const MOST_WAITING_CHARS = 1024 * 1024;
const RETRY_AFTER_MS = 500;

/** `again` = the database is away. */
type Written = 'yes' | 'lost' | 'again';

/**
 * Brings the events of one run into the log, in order. What is thought and said is gathered for 50 ms or 1 KiB,
 * everything else is written at once. While the database is away nothing is dropped: the run waits.
 */
export class EventWriter {
  private waiting: NewTaskEvent[] = [];
  private waitingChars = 0;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly write: (events: NewTaskEvent[]) => Promise<Written>,
    private readonly onLost: () => void,
  ) {}

  /** Resolves when there is room for more. */
  async add(event: NewTaskEvent): Promise<void> {
    if (this.closed) return;
    const isText = event.type === 'token' || event.type === 'thinking';
    if (!isText || !this.joinLast(event)) this.waiting.push(event);
    this.waitingChars += isText ? String(event.data.content).length : 256;
    if (!isText || this.waitingChars >= FLUSH_FROM_CHARS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS);
    while (this.waitingChars > MOST_WAITING_CHARS && this.writing) await this.writing;
  }

  /** Resolves when everything is written or lost. */
  async end(): Promise<void> {
    this.flush();
    while (this.writing) await this.writing;
    this.closed = true;
  }

  /** Gives up what waits. */
  drop(): void {
    this.closed = true;
    this.waiting = [];
    this.waitingChars = 0;
    clearTimeout(this.timer);
  }

  private joinLast(event: NewTaskEvent): boolean {
    const last = this.waiting.at(-1);
    if (last?.type !== event.type || last.data.agent !== event.data.agent) return false;
    this.waiting[this.waiting.length - 1] = {
      type: event.type,
      data: { ...event.data, content: `${String(last.data.content)}${String(event.data.content)}` },
    };
    return true;
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
      // What came when the last batch was written and this had not been heard of.
      if (this.waiting.length > 0) this.flush();
    });
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      this.waitingChars = 0;
      let written = await this.write(batch);
      while (written === 'again' && !this.closed) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
        written = await this.write(batch);
      }
      if (written !== 'lost') continue;
      this.drop();
      this.onLost();
    }
  }
}
