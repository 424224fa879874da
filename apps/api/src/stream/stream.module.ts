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

/** The one WebSocket of the service. */
@Module({
  imports: [AuthModule, CompletionsModule, TasksModule],
  controllers: [StreamController],
  providers: [Handshake, StreamGateway, StreamSockets, StreamedCompletions, StreamedTasks],
})
export class StreamModule {}
