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
      const submitted = this.submission.submit(principal, dto, frame).then(({ id }) => id);
      await this.follow(socket, request, submitted, 0);
    });
  }

  subscribe(
    socket: StreamSocket,
    frame: Frame,
    principal: Principal,
    { task_id: taskId, after = 0 }: SubscribeFrameDto,
  ): Promise<void> {
    return this.sockets.during(socket, frame, frame.id ?? taskId, async (request) => {
      const found = this.views.require(principal, taskId).then(({ id }) => id);
      const told = await this.follow(socket, request, found, after);
      // Else a task that is over could not be told from one that is quiet.
      if (told === 0 && !request.stop.signal.aborted)
        socket.tell({ type: 'ack', of: 'subscribe', id: request.id, task_id: taskId });
    });
  }

  /** Ends what follows this task, or where none is named what stands under this id; the task goes on. */
  async unsubscribe(socket: StreamSocket, id?: string, taskId?: string): Promise<void> {
    const all = [...socket.requests.values()].filter(
      (request) => request.task !== undefined && (taskId !== undefined || request.id === id),
    );
    const taskIds = await Promise.all(all.map(({ task }) => task));
    const isMeant = (followed: string | undefined) =>
      followed !== undefined && (taskId === undefined || followed === taskId);
    const found = all.filter((_, index) => isMeant(taskIds[index]));
    if (found.length === 0) throw new AppError('not_found', 'this socket does not follow such a task');
    for (const request of found) request.stop.abort();
    await Promise.all(found.map(({ over }) => over));
    socket.tell({ type: 'ack', of: 'unsubscribe', id, task_id: taskIds.find(isMeant) });
  }

  /** Resolves when the task has ended, or soon will. */
  async cancel(socket: StreamSocket, frame: Frame, principal: Principal, taskId: string): Promise<void> {
    await this.cancels.cancel(principal, taskId, frame.requestId);
    socket.tell({ type: 'ack', of: 'cancel', id: frame.id, task_id: taskId });
  }

  /** Returns how many events there were. */
  private async follow(
    socket: StreamSocket,
    request: StreamRequest,
    found: Promise<string>,
    after: number,
  ): Promise<number> {
    request.task = found.catch(() => undefined);
    const taskId = await found;
    let told = 0;
    for await (const event of this.events.read(taskId, after, request.stop.signal)) {
      socket.tell({ ...wireEvent(taskId, event), id: request.id });
      told += 1;
      await socket.hasRead();
    }
    return told;
  }
}
