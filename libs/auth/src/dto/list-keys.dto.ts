import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import { Optional, PageQueryDto } from '@app/common';

export class ListKeysDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only the keys of this project.', example: 'my-app' })
  @Optional()
  @IsString()
  project_id?: string;
}
