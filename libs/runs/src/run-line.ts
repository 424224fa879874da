import { AppError } from '@app/common';

interface Waiting {
  keyId: string;
  enter: () => void;
  refuse: () => void;
}

/** How long a place in the line is worth having, and how many may wait for each place at work. */
const LONGEST_WAIT_MS = 30_000;
const WAITING_PER_PLACE = 10;

/**
 * Lets at most `places` runs work at once. The others wait in line: who has the fewest at work is next, and among
 * those each key in turn. So a key with many requests does not keep out one with few, from the places or from the
 * line, and has as many processes at work as its share needs; within a key, first come, first served.
 */
export class RunLine {
  private readonly working = new Map<string, number>();
  private workingCount = 0;
  private readonly waiting = new Map<string, Waiting[]>();
  private waitingCount = 0;

  constructor(private readonly places: number) {}

  /**
   * Resolves with `leave` once there is a place. Throws `queue_full` at once, `overloaded` after 30 s, and the
   * signal's reason when the caller goes away.
   */
  async enter(keyId: string, signal: AbortSignal): Promise<() => void> {
    if (this.workingCount < this.places) this.begin(keyId);
    else await this.wait(keyId, signal);
    let left = false;
    return () => {
      if (!left) this.end(keyId);
      left = true;
    };
  }

  private begin(keyId: string): void {
    this.workingCount += 1;
    this.working.set(keyId, this.atWork(keyId) + 1);
  }

  private end(keyId: string): void {
    this.workingCount -= 1;
    const others = this.atWork(keyId) - 1;
    if (others > 0) this.working.set(keyId, others);
    else this.working.delete(keyId);
    this.next();
  }

  private atWork(keyId: string): number {
    return this.working.get(keyId) ?? 0;
  }

  private wait(keyId: string, signal: AbortSignal): Promise<void> {
    if (this.waitingCount >= this.places * WAITING_PER_PLACE) this.makeRoomFor(keyId);
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        keyId,
        enter: () => done(resolve),
        refuse: () => giveUp(queueFull()),
      };
      const giveUp = (error: unknown) => {
        this.remove(entry);
        done(() => reject(error));
      };
      const onAbort = () => giveUp(signal.reason);
      const timer = setTimeout(() => {
        giveUp(new AppError('overloaded', 'no place became free within 30 s', { retryAfterSeconds: 5 }));
      }, LONGEST_WAIT_MS);
      const done = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      signal.addEventListener('abort', onAbort);
      this.add(entry);
      if (signal.aborted) onAbort();
    });
  }

  /** A full line sends away the newest of the key that has the most in it; that may be the one who asks. */
  private makeRoomFor(keyId: string): void {
    const [most] = [...this.waiting.values()].sort((a, b) => b.length - a.length);
    const own = this.waiting.get(keyId)?.length ?? 0;
    if (!most || most.length <= own + 1) throw queueFull();
    most.at(-1)?.refuse();
  }

  /** A place became free: it goes to the first of the key whose turn it is. */
  private next(): void {
    let turn: [string, Waiting[]] | undefined;
    for (const each of this.waiting) {
      if (!turn || this.atWork(each[0]) < this.atWork(turn[0])) turn = each;
    }
    if (!turn) return;
    const [keyId, entries] = turn;
    const entry = entries[0] as Waiting;
    this.remove(entry);
    // Maps keep insertion order: taking the key out and putting it back sends it to the end of the round.
    if (entries.length > 0) {
      this.waiting.delete(keyId);
      this.waiting.set(keyId, entries);
    }
    this.begin(keyId);
    entry.enter();
  }

  private add(entry: Waiting): void {
    const entries = this.waiting.get(entry.keyId) ?? [];
    entries.push(entry);
    this.waiting.set(entry.keyId, entries);
    this.waitingCount += 1;
  }

  private remove(entry: Waiting): void {
    const entries = this.waiting.get(entry.keyId) ?? [];
    const index = entries.indexOf(entry);
    if (index < 0) return;
    entries.splice(index, 1);
    this.waitingCount -= 1;
    if (entries.length === 0) this.waiting.delete(entry.keyId);
  }
}

const queueFull = () =>
  new AppError('queue_full', 'too many requests are waiting already: try again soon', {
    retryAfterSeconds: 5,
  });
