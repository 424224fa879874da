import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import type { Response } from 'express';
import { Public } from '@app/common';
import { HealthDto, PartStateDto, ReadinessDto } from './health.dto.js';
import { HealthService } from './health.service.js';

@ApiTags('health')
@ApiExtraModels(PartStateDto)
@Public()
@SkipThrottle()
@Controller()
export class HealthController {
  constructor(private readonly service: HealthService) {}

  @Get('health')
  @ApiOperation({ summary: 'Does this process answer?' })
  @ApiOkResponse({ type: HealthDto })
  health(): HealthDto {
    return this.service.health();
  }

  @Get('ready')
  @ApiOperation({ summary: 'Can it do its work? 503 with the failing part when not' })
  @ApiOkResponse({ type: ReadinessDto })
  @ApiServiceUnavailableResponse({ type: ReadinessDto })
  async ready(@Res({ passthrough: true }) response: Response): Promise<ReadinessDto> {
    const readiness = await this.service.readiness();
    if (readiness.status === 'not_ready') response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return readiness;
  }
}
