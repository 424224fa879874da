import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';

/**
 * Work that belongs together is committed together: what runs inside `run`, in whatever lib, shares one
 * transaction without passing it along. A nested run joins the outer one; an error undoes all of it.
 */
@Injectable()
export class Transactions {
  readonly #current = new AsyncLocalStorage<{ runner: QueryRunner }>();

  constructor(private readonly dataSource: DataSource) {}

  /** The transaction's manager inside `run`, else one that commits each statement. */
  get manager(): EntityManager {
    return this.#open?.manager ?? this.dataSource.manager;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open) return work();
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      const result = await this.#current.run({ runner }, work);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      // A lost connection has rolled back by itself and is already released.
      if (!runner.isReleased && runner.isTransactionActive) await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }

  /** Work that outlives its transaction (a timer started inside it) is outside again. */
  get #open(): QueryRunner | undefined {
    const runner = this.#current.getStore()?.runner;
    return runner && !runner.isReleased ? runner : undefined;
  }
}
