import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';
import { READINESS_CHECKS, type ReadinessCheck } from './readiness.js';

interface HealthOptions {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  useFactory: FactoryProvider<ReadinessCheck[]>['useFactory'];
}

/** `/health` and `/ready`; the root module says which parts make the service ready. */
@Module({ controllers: [HealthController], providers: [HealthService] })
export class HealthModule {
  static checking({ imports, ...checks }: HealthOptions): DynamicModule {
    return { module: HealthModule, imports, providers: [{ provide: READINESS_CHECKS, ...checks }] };
  }
}
