import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Matches, Max, Min } from 'class-validator';
import { TASK_STATUSES, type TaskStatus } from '../task.js';
import { Optional } from './optional.js';

class PageDto {
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

export class ListTasksDto extends PageDto {
  @ApiPropertyOptional({ description: 'The `next_cursor` of the page before.' })
  @Optional()
  @IsString()
  @Matches(/^task_[0-9a-f]{32}$/, { message: 'cursor is not one of ours' })
  cursor?: string;

  @ApiPropertyOptional({ enum: TASK_STATUSES, description: 'Only those in this state.' })
  @Optional()
  @IsIn(TASK_STATUSES)
  status?: TaskStatus;
}

const SEQ = /^\d{1,9}$/;

export class ReadEventsDto extends PageDto {
  @ApiPropertyOptional({
    description: 'Only events with a higher `seq`. `Last-Event-ID` says the same.',
    type: Number,
  })
  @Optional()
  @IsString()
  @Matches(SEQ, { message: 'after must be the seq of an event' })
  after?: string;

  @ApiPropertyOptional({ description: 'Of a JSON page: the `next_cursor` of the page before.' })
  @Optional()
  @IsString()
  @Matches(SEQ, { message: 'cursor is not one of ours' })
  cursor?: string;
}
