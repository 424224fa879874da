import { Module } from '@nestjs/common';
import { AuthModule } from '@app/auth';
import { CompletionsModule } from '@app/completions';
import { TasksModule } from '@app/tasks';
import { Handshake } from './handshake.js';
import { StreamController } from './stream.controller.js';
import { StreamGateway } from './stream.gateway.js';
import { StreamSockets } from './stream-sockets.js';
import { StreamedCompletions } from './streamed-completions.js';
import { StreamedTasks } from './streamed-tasks.js';
import { TryPageController } from './try-page.controller.js';
import { TryPageFiles } from './try-page-files.js';

/** The one WebSocket of the service, and the page to try it. */
@Module({
  imports: [AuthModule, CompletionsModule, TasksModule],
  controllers: [StreamController, TryPageController],
  providers: [Handshake, StreamGateway, StreamSockets, StreamedCompletions, StreamedTasks, TryPageFiles],
})
export class StreamModule {}
