import { type DynamicModule, Module } from '@nestjs/common';
import { CommonModule } from '@app/common';
import { type AppConfig, ConfigModule } from '@app/config';
import { DatabaseModule } from '@app/database';
import { ExecutorModule } from '@app/executor';
import { TaskWorkerModule } from '@app/tasks';

/** A process that only does tasks: it answers no request. */
@Module({})
export class WorkerModule {
  static of(config: AppConfig, databaseUrl: string): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        CommonModule,
        ConfigModule.of(config),
        DatabaseModule.forUrl(databaseUrl),
        ExecutorModule,
        TaskWorkerModule,
      ],
    };
  }
}
