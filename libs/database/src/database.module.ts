import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { DatabaseHealth } from './database-health.js';
import { JobQueue } from './job-queue.js';
import { Notifications } from './notifications.js';
import { Partitions } from './partitions.js';
import { PooledDataSource, poolOptions } from './pooled-data-source.js';
import { Transactions } from './transactions.js';

/** The connection pool to the database that `main` started and migrated, for everyone. */
@Global()
@Module({})
export class DatabaseModule {
  static forUrl(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => ({ ...poolOptions(url), autoLoadEntities: true, retryAttempts: 1 }),
          dataSourceFactory: async (options) => new PooledDataSource(options as DataSourceOptions),
        }),
      ],
      providers: [
        DatabaseHealth,
        JobQueue,
        Partitions,
        Transactions,
        {
          provide: Notifications,
          useFactory: (transactions: Transactions) => new Notifications(url, transactions),
          inject: [Transactions],
        },
      ],
      exports: [Transactions, Notifications, DatabaseHealth, JobQueue, Partitions],
    };
  }
}
