import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt } from 'class-validator';
import { Optional } from '@app/common';

export class RotateKeyDto {
  @ApiPropertyOptional({
    description: 'Seconds that the old secret still works: 0 to a week.',
    default: 86_400,
    minimum: 0,
    maximum: 604_800,
    example: 3600,
  })
  @Optional()
  @IsInt()
  overlap_seconds?: number;
}
