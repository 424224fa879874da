import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsString, Matches } from 'class-validator';
import { Optional, PageLimitDto } from '@app/common';
import { TASK_STATUSES, type TaskStatus } from '../task.js';

const NOT_OURS = { message: 'cursor is not one of ours' };

export class ListTasksDto extends PageLimitDto {
  @ApiPropertyOptional({ description: 'The `next_cursor` of the page before.' })
  @Optional()
  @IsString()
  @Matches(/^task_[0-9a-f]{32}$/, NOT_OURS)
  cursor?: string;

  @ApiPropertyOptional({ enum: TASK_STATUSES, description: 'Only those in this state.' })
  @Optional()
  @IsIn(TASK_STATUSES)
  status?: TaskStatus;
}

const SEQ = /^\d{1,9}$/;

export class ReadEventsDto extends PageLimitDto {
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
  @Matches(SEQ, NOT_OURS)
  cursor?: string;
}
