import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { asUnavailable } from './connection-loss.js';

/**
 * Work that belongs together is committed together: what runs inside `run`, in whatever lib, shares one
 * transaction without passing it along. A nested run joins the outer one; an error undoes all of it.
 */
@Injectable()
export class Transactions {
  readonly #current = new AsyncLocalStorage<{ runner: QueryRunner; ended: boolean }>();

  constructor(private readonly dataSource: DataSource) {}

  /** The transaction's manager inside `run`, else one that commits each statement. */
  get manager(): EntityManager {
    return this.#open?.manager ?? this.dataSource.manager;
  }

  /** What is written now is committed only with what else the transaction holds. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open) return work();
    const runner = this.dataSource.createQueryRunner();
    const transaction = { runner, ended: false };
    try {
      await runner.startTransaction();
      const result = await this.#current.run(transaction, work);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      // A lost connection has rolled back by itself and is already released.
      if (!runner.isReleased && runner.isTransactionActive) await runner.rollbackTransaction();
      throw asUnavailable(error);
    } finally {
      transaction.ended = true;
      await runner.release();
    }
  }

  /** Work that outlives its transaction (a timer started inside it) is outside again. */
  get #open(): QueryRunner | undefined {
    const transaction = this.#current.getStore();
    return transaction && !transaction.ended ? transaction.runner : undefined;
  }
}
