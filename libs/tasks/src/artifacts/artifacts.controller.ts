import { pipeline } from 'node:stream/promises';
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller, type Principal, Requires, PageQueryDto } from '@app/common';
import { ArtifactPath } from './artifact-path.decorator.js';
import { ArtifactsService } from './artifacts.service.js';
import { ArtifactListDto } from './dto/artifact.dto.js';
import { servedType } from './served-type.js';

const TaskId = () => ApiParam({ name: 'id', example: 'task_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' });
const FILE = { schema: { type: 'string', format: 'binary' } };

@ApiTags('tasks')
@Controller('v1/tasks/:id')
export class ArtifactsController {
  constructor(private readonly artifacts: ArtifactsService) {}

  @Get('artifacts')
  @Requires('tasks:read')
  @ApiOperation({ summary: 'List the files that a task made or changed, by path' })
  @TaskId()
  @ApiOkResponse({ type: ArtifactListDto })
  async list(
    @Caller() principal: Principal,
    @Param('id') taskId: string,
    @Query() query: PageQueryDto,
  ): Promise<ArtifactListDto> {
    return ArtifactListDto.from(await this.artifacts.list(principal, taskId, query));
  }

  @Get('artifacts.zip')
  @Requires('tasks:read')
  @ApiOperation({
    summary: 'Download all artifacts of a task',
    description: 'A ZIP of at most 1 GiB of files.',
  })
  @TaskId()
  @ApiProduces('application/zip')
  @ApiOkResponse({ content: { 'application/zip': FILE } })
  async archive(
    @Caller() principal: Principal,
    @Param('id') taskId: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const archive = await this.artifacts.archive(principal, taskId);
    response.attachment(`${taskId}.zip`).setHeader('content-type', 'application/zip');
    if (request.method === 'HEAD') response.end();
    else await unlessGone(response, archive.sendTo(response));
  }

  @Get('artifacts/*path')
  @Requires('tasks:read')
  @ApiOperation({
    summary: 'Download an artifact',
    description:
      'Always as an attachment. `etag` is the SHA-256 of the content in hex, `repr-digest` the same as RFC 9530 has it.',
  })
  @TaskId()
  @ApiParam({ name: 'path', description: 'Its path, each step percent-encoded.', example: 'src/report.md' })
  @ApiOkResponse({ content: { 'application/octet-stream': FILE } })
  async download(
    @Caller() principal: Principal,
    @Param('id') taskId: string,
    @ArtifactPath() path: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { artifact, content } = await this.artifacts.open(principal, taskId, path);
    const etag = `"${artifact.sha256}"`;
    response.attachment(path).set({
      'content-type': servedType(artifact.mediaType),
      'content-length': String(artifact.sizeBytes),
      etag,
      'repr-digest': `sha-256=:${Buffer.from(artifact.sha256, 'hex').toString('base64')}:`,
      'accept-ranges': 'none',
    });
    const isKnown = (request.headers['if-none-match'] ?? '').split(/\s*,\s*/).includes(etag);
    if (request.method === 'HEAD' || isKnown) {
      content.destroy();
      response.status(isKnown ? 304 : 200).end();
    } else {
      await unlessGone(response, pipeline(content, response));
    }
  }
}

const GONE = ['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_UNABLE_TO_PIPE'];

/** A client that stops reading is no failure of ours; anything else cuts the answer and is logged. */
async function unlessGone(response: Response, sending: Promise<void>): Promise<void> {
  try {
    await sending;
  } catch (error) {
    if (!response.destroyed || !GONE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
