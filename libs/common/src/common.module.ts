import { Global, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import { Metrics } from './metrics.js';

@Global()
@Module({ providers: [{ provide: Clock, useClass: SystemClock }, Metrics], exports: [Clock, Metrics] })
export class CommonModule {}
