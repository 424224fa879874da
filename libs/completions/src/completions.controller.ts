import { Body, Controller, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller, Clock, type Principal, type RequestContext, Requires } from '@app/common';
import { allowanceHeaders } from '@app/runs';
import { answerOf } from './completion-events.js';
import { streamCompletion } from './completion-stream.js';
import { CompletionsService } from './completions.service.js';
import { CompletionDto } from './dto/completion.dto.js';
import { CreateCompletionDto } from './dto/create-completion.dto.js';

const EXAMPLES = {
  'A question': { value: { prompt: 'Explain in two sentences what a mutex is.' } },
  'A stream': { value: { prompt: 'Explain what a mutex is.', model: 'haiku', stream: true } },
  'Every knob': {
    value: {
      ...{ prompt: 'Count to ten.', system: 'Answer in words.', model: 'sonnet', max_tokens: 200 },
      ...{ max_cost_usd: 0.05, timeout_seconds: 30, stop: ['nine'], temperature: 0.2 },
      metadata: { ticket: 'A-17' },
    },
  },
};

@ApiTags('completions')
@Controller('v1/completions')
export class CompletionsController {
  constructor(
    private readonly completions: CompletionsService,
    private readonly clock: Clock,
  ) {}

  @Post()
  @HttpCode(200)
  @Requires('completions:create')
  @ApiOperation({
    summary: 'Answer one prompt',
    description:
      'With `stream: true` the answer is `text/event-stream`: `started`, `token`…, and at the end `done` or `error`.',
  })
  @ApiHeader({
    name: 'idempotency-key',
    required: false,
    description: 'Repeat safely: the same answer for 24 h.',
  })
  @ApiBody({ type: CreateCompletionDto, examples: EXAMPLES })
  @ApiOkResponse({ type: CompletionDto })
  async create(
    @Caller() principal: Principal,
    @Body() dto: CreateCompletionDto,
    @Headers('idempotency-key') idempotencyKey: string | undefined,
    @Req() request: Request & RequestContext,
    @Res() response: Response,
  ): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const context = { requestId: request.id, idempotencyKey, signal: gone.signal };
    const started = await this.completions.start(principal, dto, context);
    if (started.replayed) response.set('idempotent-replayed', 'true');
    if (started.allowance) response.set(allowanceHeaders(started.allowance));
    if (dto.stream) return streamCompletion(started, response, this.clock, request.id);
    const completion = await answerOf(started);
    if (completion.cost_usd !== null) response.set('x-cost-usd', String(completion.cost_usd));
    response.set('server-timing', serverTiming(completion.timing)).json(completion);
  }
}

function serverTiming(timing: CompletionDto['timing']): string {
  return `queue;dur=${timing.queue_ms}, start;dur=${timing.start_ms ?? 0}, total;dur=${timing.total_ms}`;
}
