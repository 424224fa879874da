import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AppError, Caller, EventStream, type Principal, type RequestContext, Requires } from '@app/common';
import { allowanceHeaders } from '@app/runs';
import { CreateTaskDto, CreateTaskQueryDto } from './dto/create-task.dto.js';
import { ListTasksDto, ReadEventsDto } from './dto/list-tasks.dto.js';
import { TaskDto, TaskEventsDto, TaskListDto } from './dto/task.dto.js';
import { EXAMPLES } from './dto/task-examples.js';
import { TaskEvents } from './feed/task-events.js';
import { TaskSubmission } from './submission/task-submission.js';
import { secondsToWait } from './submission/waiting.js';
import { TaskCancels } from './task-cancels.js';
import { wireEvent } from './task-event.js';
import { TaskViews } from './task-views.js';
import { isFinished } from './task.js';

const TaskId = () => ApiParam({ name: 'id', example: 'task_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' });
const Idempotent = () =>
  ApiHeader({
    name: 'idempotency-key',
    required: false,
    description: 'Repeat safely: the same task for 24 h.',
  });
const Preference = () =>
  ApiHeader({ name: 'prefer', required: false, description: '`wait=N`: answer after N seconds at most.' });

@ApiTags('tasks')
@ApiExtraModels(TaskEventsDto)
@Controller('v1')
export class TasksController {
  constructor(
    private readonly submission: TaskSubmission,
    private readonly cancels: TaskCancels,
    private readonly views: TaskViews,
    private readonly events: TaskEvents,
  ) {}

  @Post('tasks')
  @HttpCode(202)
  @Requires('tasks:create')
  @ApiOperation({
    summary: 'Have a task done',
    description:
      'Answers at once, or with `wait` when the task has ended: then 200, and 202 when it has not.',
  })
  @Idempotent()
  @Preference()
  @ApiBody({ type: CreateTaskDto, examples: EXAMPLES })
  @ApiAcceptedResponse({ type: TaskDto })
  async create(
    @Caller() principal: Principal,
    @Body() dto: CreateTaskDto,
    @Query() query: CreateTaskQueryDto,
    @Req() request: Request & RequestContext,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TaskDto> {
    const seconds = secondsToWait(query.wait, request.get('prefer'));
    return this.submit(principal, dto, seconds, request, response);
  }

  @Post('task')
  @HttpCode(200)
  @Requires('tasks:create')
  @ApiOperation({
    summary: 'Have a task done, and wait for it',
    description: 'Like `POST /v1/tasks?wait=true`: 202 when the task has not ended after 600 s.',
  })
  @Idempotent()
  @Preference()
  @ApiBody({ type: CreateTaskDto, examples: EXAMPLES })
  @ApiOkResponse({ type: TaskDto })
  async run(
    @Caller() principal: Principal,
    @Body() dto: CreateTaskDto,
    @Req() request: Request & RequestContext,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TaskDto> {
    return this.submit(principal, dto, secondsToWait('true', request.get('prefer')), request, response);
  }

  @Get('tasks')
  @Requires('tasks:read')
  @ApiOperation({ summary: 'List the project’s tasks, newest first' })
  @ApiOkResponse({ type: TaskListDto })
  list(@Caller() principal: Principal, @Query() query: ListTasksDto): Promise<TaskListDto> {
    return this.views.list(principal, query);
  }

  @Get('tasks/:id')
  @Requires('tasks:read')
  @ApiOperation({ summary: 'Show a task' })
  @TaskId()
  @ApiOkResponse({ type: TaskDto })
  show(@Caller() principal: Principal, @Param('id') id: string): Promise<TaskDto> {
    return this.views.show(principal, id);
  }

  @Post('tasks/:id/cancel')
  @HttpCode(200)
  @Requires('tasks:cancel')
  @ApiOperation({
    summary: 'Cancel a task',
    description: 'Waits up to 3 s for its end; it is `cancelled` then or soon. What it had done is kept.',
  })
  @TaskId()
  @ApiOkResponse({ type: TaskDto })
  async cancel(
    @Caller() principal: Principal,
    @Param('id') id: string,
    @Req() request: RequestContext,
  ): Promise<TaskDto> {
    await this.cancels.cancel(principal, id, request.id);
    return this.views.show(principal, id);
  }

  @Get('tasks/:id/events')
  @Requires('tasks:read')
  @ApiOperation({
    summary: 'Follow a task',
    description:
      'Server-sent events: what has happened, then what happens, until `result`. With `accept: application/json` a page of what has happened.',
  })
  @TaskId()
  @ApiHeader({ name: 'last-event-id', required: false, description: 'Only events with a higher `seq`.' })
  @ApiProduces('text/event-stream', 'application/json')
  @ApiOkResponse({
    content: {
      'text/event-stream': { schema: { type: 'string' } },
      'application/json': { schema: { $ref: getSchemaPath(TaskEventsDto) } },
    },
  })
  async follow(
    @Caller() principal: Principal,
    @Param('id') id: string,
    @Query() query: ReadEventsDto,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const after = Number(lastSeen(lastEventId) ?? query.cursor ?? query.after ?? 0);
    await this.views.require(principal, id);
    if (request.accepts(['text/event-stream', 'application/json']) === 'application/json') {
      response.json(await this.views.eventPage(id, after, query.limit));
    } else if (request.method === 'HEAD') {
      response.set('content-type', 'text/event-stream; charset=utf-8').end();
    } else {
      await this.stream(id, after, response);
    }
  }

  private async submit(
    principal: Principal,
    dto: CreateTaskDto,
    seconds: number,
    request: Request & RequestContext,
    response: Response,
  ): Promise<TaskDto> {
    const idempotencyKey = request.get('idempotency-key');
    const { id, replayed, allowance } = await this.submission.submit(principal, dto, {
      requestId: request.id,
      idempotencyKey,
    });
    if (replayed) response.set('idempotent-replayed', 'true');
    if (allowance) response.set(allowanceHeaders(allowance));
    // The task goes on when its caller goes away: only the waiting ends.
    if (seconds > 0)
      await this.events.end(id, AbortSignal.any([gone(response), AbortSignal.timeout(seconds * 1000)]));
    const task = await this.views.show(principal, id);
    response.status(seconds > 0 && isFinished(task.status) ? 200 : 202).location(`/v1/tasks/${id}`);
    if (task.cost_usd !== null) response.set('x-cost-usd', String(task.cost_usd));
    return task;
  }

  private async stream(id: string, after: number, response: Response): Promise<void> {
    const signal = gone(response);
    const stream = new EventStream(response);
    let whole = false;
    try {
      for await (const event of this.events.read(id, after, signal)) {
        await stream.send(event.seq, event.type, wireEvent(id, event));
      }
      whole = true;
    } finally {
      stream.close(whole);
    }
  }
}

function gone(response: Response): AbortSignal {
  const controller = new AbortController();
  response.on('close', () => controller.abort());
  return controller.signal;
}

function lastSeen(lastEventId: string | undefined): string | undefined {
  if (!lastEventId) return undefined;
  if (/^\d{1,9}$/.test(lastEventId)) return lastEventId;
  throw new AppError('invalid_request', 'last-event-id must be the seq of an event', {
    param: 'last-event-id',
  });
}
