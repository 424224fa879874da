import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsString, Max, Min, ValidateIf } from 'class-validator';

/** May be left out; unlike `IsOptional`, an explicit null is a mistake. */
const Optional = () => ValidateIf((_, value) => value !== undefined);

export class ListArtifactsDto {
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
