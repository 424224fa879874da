import { Controller, Get, Header, type OnModuleInit } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { collectDefaultMetrics, prometheusContentType } from 'prom-client';
import { Caller, Metrics, type Principal, requireInstallation, Requires } from '@app/common';

@ApiTags('health')
@Controller('metrics')
export class MetricsController implements OnModuleInit {
  constructor(private readonly metrics: Metrics) {}

  onModuleInit(): void {
    collectDefaultMetrics({ register: this.metrics });
  }

  @Get()
  @Requires('metrics:read')
  @Header('content-type', prometheusContentType)
  @ApiProduces('text/plain')
  @ApiOperation({
    summary: 'Show what Prometheus gathers of this server',
    description: 'With an administration key of the installation as the bearer token.',
  })
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  show(@Caller() principal: Principal): Promise<string> {
    requireInstallation(principal, 'see what the server counts');
    return this.metrics.metrics();
  }
}
