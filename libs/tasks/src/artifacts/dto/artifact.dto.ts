import { ApiProperty } from '@nestjs/swagger';
import type { Artifact } from '../artifact.js';
import type { ArtifactPage } from '../artifacts.service.js';

/** A file that a task made or changed. */
export class ArtifactDto {
  @ApiProperty({ example: 'art_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  @ApiProperty({ description: 'Where it lay in the workspace.', example: 'src/report.md' })
  path: string;
  @ApiProperty({ example: 5120 })
  size_bytes: number;
  @ApiProperty({
    description: 'Of the content, in hex.',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  })
  sha256: string;
  @ApiProperty({ description: 'By the ending of its name.', example: 'text/markdown' })
  media_type: string;
  @ApiProperty({
    description: 'Where to download it, on this server.',
    example: '/v1/tasks/task_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f/artifacts/src/report.md',
  })
  url: string;

  static from({ id, taskId, path, sizeBytes, sha256, mediaType }: Artifact): ArtifactDto {
    const url = `/v1/tasks/${taskId}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`;
    return { id, path, size_bytes: sizeBytes, sha256, media_type: mediaType, url };
  }
}

export class ArtifactListDto {
  @ApiProperty({ type: [ArtifactDto] })
  data: ArtifactDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: ArtifactPage): ArtifactListDto {
    return {
      data: data.map((artifact) => ArtifactDto.from(artifact)),
      has_more: nextCursor !== null,
      next_cursor: nextCursor,
    };
  }
}
