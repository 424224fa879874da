import { LRUCache } from 'lru-cache';
import type { ChainHead } from './audit-record.js';

/** How a chain ends, and when its last event was. */
export interface DatedHead extends ChainHead {
  at: Date;
}

const MOST_PROJECTS = 10_000;

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

  /** One after the other within a project: the second of two guesses at once would always be wrong. */
  async inTurn<T>(project: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(project);
    const turn = Promise.resolve(before).then(work, work);
    this.#turns.set(project, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(project) === turn) this.#turns.delete(project);
    }
  }
}
