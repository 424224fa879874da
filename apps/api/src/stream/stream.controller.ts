import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { AppError, Public } from '@app/common';
import { STREAM_PATH } from './handshake.js';

/** Tells who comes by plain HTTP what this is. */
@ApiExcludeController()
@Controller(STREAM_PATH)
export class StreamController {
  @Get()
  @Public()
  open(): never {
    throw new AppError('upgrade_required', 'this is a WebSocket: connect to it with ws:// or wss://');
  }
}
