import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { Optional } from '@app/common';

export class AuthFrameDto {
  @IsString()
  @MaxLength(200)
  api_key: string;
}

export class SubscribeFrameDto {
  @IsString()
  task_id: string;

  /** Only events with a higher `seq`. */
  @Optional()
  @IsInt()
  @Min(0)
  @Max(2 ** 31 - 1)
  after?: number;
}

export class TaskFrameDto {
  @Optional()
  @IsString()
  task_id?: string;
}
