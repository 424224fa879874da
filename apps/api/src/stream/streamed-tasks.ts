import { Injectable } from '@nestjs/common';
import { AppError, newId, type Principal } from '@app/common';
import {
  type CreateTaskDto,
  TaskCancels,
  TaskEvents,
  TaskSubmission,
  TaskViews,
  wireEvent,
} from '@app/tasks';
import type { SubscribeFrameDto } from './dto/stream-frames.dto.js';
import type { Frame } from './frame.js';
import { StreamSockets } from './stream-sockets.js';
import type { StreamRequest, StreamSocket } from './stream-socket.js';

/** Tasks over a socket: it reads their log, so that they go on without it and any number of sockets may read. */
@Injectable()
export class StreamedTasks {
  constructor(
    private readonly sockets: StreamSockets,
    private readonly submission: TaskSubmission,
    private readonly events: TaskEvents,
    private readonly views: TaskViews,
    private readonly cancels: TaskCancels,
  ) {}

  run(socket: StreamSocket, frame: Frame, principal: Principal, dto: CreateTaskDto): Promise<void> {
    return this.sockets.during(socket, frame, frame.id ?? newId('req'), async (request) => {
      const { id } = await this.submission.submit(principal, dto, frame);
      await this.follow(socket, request, id, 0);
    });
  }

  subscribe(
    socket: StreamSocket,
    frame: Frame,
    principal: Principal,
    { task_id: taskId, after = 0 }: SubscribeFrameDto,
  ): Promise<void> {
    return this.sockets.during(socket, frame, frame.id ?? taskId, async (request) => {
      await this.views.require(principal, taskId);
      await this.follow(socket, request, taskId, after);
    });
  }

  /** Ends what follows this task, or stands under this id; the task goes on. */
  unsubscribe(socket: StreamSocket, id: string | undefined, taskId: string | undefined): void {
    const found = [...socket.requests.values()].filter(
      (request) =>
        request.taskId !== undefined && (id === undefined ? request.taskId === taskId : request.id === id),
    );
    if (found.length === 0) throw new AppError('not_found', 'this socket does not follow such a task');
    for (const request of found) request.stop.abort();
    socket.tell({ type: 'ack', of: 'unsubscribe', id, task_id: found[0]!.taskId });
  }

  /** Resolves when the task has ended, or soon will. */
  async cancel(socket: StreamSocket, frame: Frame, principal: Principal, taskId: string): Promise<void> {
    await this.cancels.cancel(principal, taskId, frame.requestId);
    socket.tell({ type: 'ack', of: 'cancel', id: frame.id, task_id: taskId });
  }

  private async follow(
    socket: StreamSocket,
    request: StreamRequest,
    taskId: string,
    after: number,
  ): Promise<void> {
    request.taskId = taskId;
    for await (const event of this.events.read(taskId, after, request.stop.signal)) {
      socket.tell({ ...wireEvent(taskId, event), id: request.id });
      await socket.hasRead();
    }
  }
}
