import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { AppError, Public } from '@app/common';
import { TryPageFiles } from './try-page-files.js';

const PAGE = 'index.html';

/** The page to try the WebSocket with. It is the same for everybody: who has a key types it there. */
@ApiExcludeController()
@Public()
@Controller('docs/try')
export class TryPageController {
  constructor(private readonly files: TryPageFiles) {}

  @Get()
  page(@Res() response: Response): void {
    this.send(PAGE, response);
  }

  @Get(':name')
  part(@Param('name') name: string, @Res() response: Response): void {
    // Its links are relative to the address without a name.
    if (name === PAGE) throw notFound();
    this.send(name, response);
  }

  /** Express answers 304 by itself when the browser has this very file. */
  private send(name: string, response: Response): void {
    const file = this.files.find(name);
    if (!file) throw notFound();
    response.set({ 'content-type': file.mediaType, 'cache-control': 'no-cache', etag: file.etag });
    response.send(file.content);
  }
}

const notFound = () => new AppError('not_found', 'the page to try has no such file');
