import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export class HealthDto {
  @ApiProperty({ enum: ['ok'] })
  status: 'ok';
  @ApiProperty({ example: '0.1.0' })
  version: string;
  @ApiProperty({ example: 86_400 })
  uptime_seconds: number;
  @ApiProperty({ description: 'True when a scripted model answers instead of Claude.', example: false })
  demo: boolean;
}

export class PartStateDto {
  @ApiProperty({ example: true })
  ok: boolean;
  @ApiPropertyOptional({ example: 'answers in 2 ms' })
  detail?: string;
}

export class ReadinessDto {
  @ApiProperty({ enum: ['ready', 'not_ready'] })
  status: 'ready' | 'not_ready';
  @ApiProperty({
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/PartStateDto' },
    example: { database: { ok: true } },
  })
  checks: Record<string, PartStateDto>;
}
