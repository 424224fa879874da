import { ApiProperty } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import type { ProjectPage, ProjectView } from '../projects.service.js';

export class CreateProjectDto {
  @ApiProperty({
    description: '1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first.',
    example: 'my-app',
  })
  @IsString()
  project_id: string;
}

class KeyCountsDto {
  @ApiProperty({ example: 3 })
  active: number;
  @ApiProperty({ example: 1 })
  revoked: number;
}

/** A tenant. */
export class ProjectDto {
  @ApiProperty({ example: 'my-app' })
  id: string;
  @ApiProperty({ enum: ['active', 'disabled'] })
  status: 'active' | 'disabled';
  @ApiProperty()
  keys: KeyCountsDto;
  @ApiProperty({ format: 'date-time', example: '2026-11-21T09:00:00.000Z' })
  created_at: string;
  @ApiProperty({ description: 'Null = it is not.', type: String, format: 'date-time', nullable: true })
  disabled_at: string | null;

  static from({ id, createdAt, disabledAt, activeKeys, revokedKeys }: ProjectView): ProjectDto {
    return {
      id,
      status: disabledAt ? 'disabled' : 'active',
      keys: { active: activeKeys, revoked: revokedKeys },
      created_at: createdAt.toISOString(),
      disabled_at: disabledAt?.toISOString() ?? null,
    };
  }
}

export class ProjectListDto {
  @ApiProperty({ type: [ProjectDto] })
  data: ProjectDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: ProjectPage): ProjectListDto {
    return { data: data.map(ProjectDto.from), has_more: nextCursor !== null, next_cursor: nextCursor };
  }
}
