import { DataSource, type DataSourceOptions, QueryFailedError, type QueryRunner } from 'typeorm';
import { asUnavailable, isConnectionLoss } from './connection-loss.js';

/**
 * Every query of the service goes through here, so that a database which is away, or paused, shows within
 * seconds as `database_unavailable`, and a connection that failed so is never used again.
 */
export class PooledDataSource extends DataSource {
  override createQueryRunner(...args: Parameters<DataSource['createQueryRunner']>): QueryRunner {
    const runner = super.createQueryRunner(...args) as LosableRunner;
    const { connect, query } = runner;
    runner.connect = guarded(runner, connect);
    runner.query = guarded(runner, query) as QueryRunner['query'];
    return runner;
  }
}

interface LosableRunner extends QueryRunner {
  /** TypeORM's own way to give a connection back as broken; `release()` would let the pool use it again. */
  releasePostgresConnection(error: Error): Promise<void>;
}

function guarded<A extends unknown[], R>(runner: LosableRunner, call: (...args: A) => Promise<R>) {
  return async (...args: A): Promise<R> => {
    try {
      return await call.apply(runner, args);
    } catch (error) {
      if (isConnectionLoss(error)) await runner.releasePostgresConnection(error as Error);
      throw asUnavailable(withoutValues(error));
    }
  };
}

/** Errors end up in the log: what stood in the rows and parameters stays out of it. */
function withoutValues(error: unknown): unknown {
  if (error instanceof QueryFailedError) {
    const hidden = { parameters: undefined, detail: undefined, where: undefined };
    Object.assign(error, hidden);
    Object.assign(error.driverError, hidden);
  }
  return error;
}

/** Ten connections; each wait ends: for a connection after 3 s, on the server after 5 s, for a silent server after 6 s. */
export function poolOptions(url: string): DataSourceOptions & { type: 'postgres' } {
  return {
    type: 'postgres',
    url,
    applicationName: 'claude-api',
    poolSize: 10,
    connectTimeoutMS: 3_000,
    synchronize: false,
    logging: false,
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    extra: {
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      statement_timeout: 5_000,
      query_timeout: 6_000,
      idle_in_transaction_session_timeout: 60_000,
    },
  };
}
