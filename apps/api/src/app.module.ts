import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AuditModule } from '@app/audit';
import { AuthGuard, AuthModule, StrangersGuard } from '@app/auth';
import { CommonModule } from '@app/common';
import { CompletionsModule } from '@app/completions';
import { type AppConfig, ConfigModule } from '@app/config';
import { DatabaseHealth, DatabaseModule } from '@app/database';
import { CredentialHealth, ExecutorModule, Sandbox } from '@app/executor';
import { PermissionsGuard, PermissionsModule } from '@app/permissions';
import { TasksModule, TaskWorkerModule } from '@app/tasks';
import { HealthModule } from './health/health.module.js';
import type { ReadinessCheck } from './health/readiness.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { StreamModule } from './stream/stream.module.js';

/** Every route of the service. Who asks is settled before what they may do; both before a body is read. */
@Module({})
export class AppModule {
  static of(config: AppConfig, databaseUrl: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CommonModule,
        ConfigModule.of(config),
        DatabaseModule.forUrl(databaseUrl),
        AuditModule,
        PermissionsModule,
        AuthModule,
        CompletionsModule,
        TasksModule,
        StreamModule,
        ...(config.role === 'api' ? [] : [TaskWorkerModule]),
        HealthModule.checking({
          imports: [ExecutorModule],
          inject: [DatabaseHealth, CredentialHealth, Sandbox],
          useFactory: readinessChecks,
        }),
      ],
      controllers: [MetricsController],
      providers: [
        { provide: APP_GUARD, useExisting: StrangersGuard },
        { provide: APP_GUARD, useExisting: AuthGuard },
        { provide: APP_GUARD, useExisting: PermissionsGuard },
      ],
    };
  }
}

function readinessChecks(
  database: DatabaseHealth,
  credential: CredentialHealth,
  { isolation }: Sandbox,
): ReadinessCheck[] {
  return [
    {
      name: 'database',
      check: async () => {
        const { status, detail } = await database.check();
        return { ok: status === 'ok', detail };
      },
    },
    { name: 'credential', check: () => credential.check() },
    { name: 'isolation', check: () => ({ ok: true, detail: `${isolation.level}: ${isolation.detail}` }) },
  ];
}
