import type { Server } from 'node:http';
import { UseFilters } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { Callers } from '@app/auth';
import { AppError, Caller, type Principal, Public, Requires, requireScope } from '@app/common';
import { CompletionsService, CreateChatDto, CreateCompletionDto } from '@app/completions';
import { CreateTaskDto } from '@app/tasks';
import type { WebSocketServer } from 'ws';
import { AuthFrameDto, SubscribeFrameDto, TaskFrameDto } from './dto/stream-frames.dto.js';
import type { Frame } from './frame.js';
import { Handshake, STREAM_PATH } from './handshake.js';
import { StreamErrorsFilter } from './stream-errors.filter.js';
import { STREAM_LIMITS } from './stream-limits.js';
import { StreamSocket } from './stream-socket.js';
import { StreamSockets } from './stream-sockets.js';
import { StreamedCompletions } from './streamed-completions.js';
import { StreamedTasks } from './streamed-tasks.js';

/** The client has so long to answer a close before the connection is cut. */
const CLOSE_WITHIN_MS = 10_000;

/** The frames of `/v1/stream`: each is checked, allowed and run as the REST route of its kind is. */
@UseFilters(StreamErrorsFilter)
@WebSocketGateway({
  path: STREAM_PATH,
  WebSocket: StreamSocket,
  maxPayload: STREAM_LIMITS.frameBytes,
  perMessageDeflate: false,
  closeTimeout: CLOSE_WITHIN_MS,
})
export class StreamGateway implements OnGatewayInit<WebSocketServer> {
  constructor(
    private readonly http: HttpAdapterHost,
    private readonly handshake: Handshake,
    private readonly callers: Callers,
    private readonly sockets: StreamSockets,
    private readonly completions: CompletionsService,
    private readonly streamed: StreamedCompletions,
    private readonly tasks: StreamedTasks,
  ) {}

  afterInit(server: WebSocketServer): void {
    this.handshake.serve(this.http.httpAdapter.getHttpServer() as Server, server);
  }

  @SubscribeMessage('auth')
  @Public()
  async auth(@ConnectedSocket() socket: StreamSocket, @MessageBody('body') dto: AuthFrameDto): Promise<void> {
    if (socket.principal) throw new AppError('conflict', 'this socket is authenticated already');
    this.sockets.admit(socket, await this.callers.identify(dto.api_key, this.sockets.addressOf(socket)));
  }

  @SubscribeMessage('completion')
  @Requires('completions:create')
  completion(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() frame: Frame,
    @Caller() principal: Principal,
    @MessageBody('body') dto: CreateCompletionDto,
  ): Promise<void> {
    requireStream(dto);
    return this.streamed.answer(socket, frame, (context) => this.completions.start(principal, dto, context));
  }

  @SubscribeMessage('chat')
  @Requires('completions:create')
  chat(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() frame: Frame,
    @Caller() principal: Principal,
    @MessageBody('body') dto: CreateChatDto,
  ): Promise<void> {
    requireStream(dto);
    return this.streamed.answer(socket, frame, (context) =>
      this.completions.startChat(principal, dto, context),
    );
  }

  @SubscribeMessage('task')
  @Requires('tasks:create')
  task(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() frame: Frame,
    @Caller() principal: Principal,
    @MessageBody('body') dto: CreateTaskDto,
  ): Promise<void> {
    return this.tasks.run(socket, frame, principal, dto);
  }

  @SubscribeMessage('subscribe')
  @Requires('tasks:read')
  subscribe(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() frame: Frame,
    @Caller() principal: Principal,
    @MessageBody('body') dto: SubscribeFrameDto,
  ): Promise<void> {
    return this.tasks.subscribe(socket, frame, principal, dto);
  }

  @SubscribeMessage('unsubscribe')
  @Requires('tasks:read')
  async unsubscribe(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() { id }: Frame,
    @MessageBody('body') { task_id: taskId }: TaskFrameDto,
  ): Promise<void> {
    requireOne(id, taskId);
    return this.tasks.unsubscribe(socket, id, taskId);
  }

  /** What stands under an id of this socket, or a task of the project. */
  @SubscribeMessage('cancel')
  @Requires('self:read')
  async cancel(
    @ConnectedSocket() socket: StreamSocket,
    @MessageBody() frame: Frame,
    @Caller() principal: Principal,
    @MessageBody('body') dto: TaskFrameDto,
  ): Promise<void> {
    requireOne(frame.id, dto.task_id);
    const request = dto.task_id === undefined ? socket.requests.get(frame.id!) : undefined;
    const taskId = dto.task_id ?? (await request?.task);
    if (taskId !== undefined) {
      requireScope(principal, 'tasks:cancel');
      return this.tasks.cancel(socket, frame, principal, taskId);
    }
    if (!request) throw new AppError('not_found', 'nothing is under way under this id', { param: 'id' });
    request.stop.abort();
  }

  @SubscribeMessage('ping')
  @Requires('self:read')
  ping(@ConnectedSocket() socket: StreamSocket, @MessageBody() { id, body }: Frame): void {
    const [unknown] = Object.keys(body);
    if (unknown !== undefined) {
      throw new AppError('invalid_request', `unknown field ${JSON.stringify(unknown)}`, { param: unknown });
    }
    socket.tell({ type: 'pong', id });
  }
}

function requireStream({ stream }: { stream?: boolean }): void {
  if (stream !== false) return;
  throw new AppError('invalid_request', 'a socket always streams: leave stream out', { param: 'stream' });
}

function requireOne(id: string | undefined, taskId: string | undefined): void {
  if (id !== undefined || taskId !== undefined) return;
  throw new AppError('invalid_request', 'id or task_id says what is meant', { param: 'id' });
}
