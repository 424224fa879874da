import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsString, Max, Min } from 'class-validator';
import { Optional } from './optional.decorator.js';

/** How long a page of a list may be. */
export class PageLimitDto {
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
}

/** What a list takes: `?limit=&cursor=`. */
export class PageQueryDto extends PageLimitDto {
  @ApiPropertyOptional({ description: 'The `next_cursor` of the page before.' })
  @Optional()
  @IsString()
  cursor?: string;
}
