import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsString, Max, Min } from 'class-validator';
import { Optional } from './create-key.dto.js';

export class ListKeysDto {
  @ApiPropertyOptional({ description: 'Only the keys of this project.', example: 'my-app' })
  @Optional()
  @IsString()
  project_id?: string;

  @ApiPropertyOptional({
    description: 'How many at most.',
    default: 50,
    minimum: 1,
    maximum: 200,
    type: Number,
  })
  @Optional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;

  @ApiPropertyOptional({ description: 'The `next_cursor` of the page before.' })
  @Optional()
  @IsString()
  cursor?: string;
}
