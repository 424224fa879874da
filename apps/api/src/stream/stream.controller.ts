import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AppError, Public } from '@app/common';
import { STREAM_PATH } from './handshake.js';

@ApiTags('stream')
@Controller(STREAM_PATH)
export class StreamController {
  @Get()
  @Public()
  @ApiOperation({
    summary: 'Open the WebSocket',
    description:
      'Completions and tasks, several at once on one socket. [Try it in the browser](/docs/try). Plain HTTP answers 426.',
  })
  open(): never {
    throw new AppError('upgrade_required', 'this is a WebSocket: connect to it with ws:// or wss://');
  }
}
