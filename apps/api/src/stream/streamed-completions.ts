import { Injectable } from '@nestjs/common';
import type { CompletionsService } from '@app/completions';
import { wireEvents } from '@app/completions';
import { Clock, newId } from '@app/common';
import type { Frame } from './frame.js';
import { StreamSockets } from './stream-sockets.js';
import type { StreamSocket } from './stream-socket.js';

type Start = CompletionsService['start'];
type Context = Parameters<Start>[2];

/** Completions over a socket: the same run as over REST, ended when its client cancels it or goes away. */
@Injectable()
export class StreamedCompletions {
  constructor(
    private readonly sockets: StreamSockets,
    private readonly clock: Clock,
  ) {}

  answer(socket: StreamSocket, frame: Frame, start: (context: Context) => ReturnType<Start>): Promise<void> {
    const { requestId, idempotencyKey } = frame;
    const onWaiting = (change: number) => socket.waits(change);
    return this.sockets.during(socket, frame, frame.id ?? newId('req'), async ({ id, stop }) => {
      const started = await start({ requestId, idempotencyKey, signal: stop.signal });
      // Read to the end also when nobody listens: the run holds a place that others wait for.
      for await (const event of wireEvents(started, this.clock, requestId, onWaiting)) {
        const isText = event.type === 'token' || event.type === 'thinking';
        socket.tell({ ...event, id, ...(isText ? {} : { run_id: started.id }) });
        // What comes until then is told as one.
        await socket.hasRead(0);
      }
    });
  }
}
