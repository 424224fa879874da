import { LRUCache } from 'lru-cache';
import type { ChainHead } from './audit-record.js';

/** How a chain ends, and when its last event was. */
export interface DatedHead extends ChainHead {
  at: Date;
}

const MOST_PROJECTS = 10_000;
const LONGEST_WAIT_MS = 500;

/**
 * Where this process believes that chains end. Only the database knows: a link that was made on a wrong belief is
 * refused there. A project to whose chain others append as well is not worth guessing about.
 */
export class ChainHeads {
  readonly #believed = new LRUCache<string, { head: DatedHead; isOurs: boolean }>({ max: MOST_PROJECTS });
  readonly #turns = new Map<string, Promise<unknown>>();

  /** Where a link may be tried, if anywhere. */
  guess(project: string): DatedHead | undefined {
    const believed = this.#believed.get(project);
    return believed?.isOurs ? believed.head : undefined;
  }

  /** What the database said under its lock: `found` was the end, and `head` is the next. */
  learn(project: string, found: ChainHead, head: DatedHead): void {
    const before = this.#believed.get(project);
    this.#believed.set(project, { head, isOurs: !before || before.head.mac.equals(found.mac) });
  }

  /** A link was taken. */
  advance(project: string, head: DatedHead): void {
    this.#believed.set(project, { head, isOurs: true });
  }

  /** The guess was wrong, or nobody knows what came of it. */
  doubt(project: string): void {
    const believed = this.#believed.get(project);
    if (believed) this.#believed.set(project, { ...believed, isOurs: false });
  }

  /**
   * One after the other within a project: of two guesses at once the second would always be wrong. Who has waited
   * long goes ahead: the one before it may be waiting for a database that does not answer.
   */
  async inTurn<T>(project: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(project);
    const turn = before ? soon(before).then(work) : work();
    const over = turn.then(noop, noop);
    this.#turns.set(project, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(project) === over) this.#turns.delete(project);
    }
  }
}

const noop = () => undefined;

async function soon(before: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, LONGEST_WAIT_MS);
  });
  await Promise.race([before, late]);
  clearTimeout(timer);
}
