import { Injectable } from '@nestjs/common';
import { AppError, Clock, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import {
  Idempotency,
  type IdempotencyTicket,
  routeModel,
  type Run,
  RunPolicy,
  type RunRequest,
  Runs,
  type RunResult,
} from '@app/runs';
import { checkRequest } from './check-request.js';
import { type CompletionEvent, eventsOf, type StartedCompletion } from './completion-events.js';
import { completionOf } from './completion-of.js';
import { conversationOf } from './conversation-of.js';
import type { CompletionDto, RoutingDto } from './dto/completion.dto.js';
import type { CreateChatDto } from './dto/create-chat.dto.js';
import type { CreateCompletionDto } from './dto/create-completion.dto.js';

interface CompletionContext {
  requestId: string;
  idempotencyKey?: string;
  /** Fires when the client goes away. */
  signal: AbortSignal;
}

/** What is to be answered, whichever way it was put. */
type Question = CreateCompletionDto & Pick<RunRequest, 'history'>;
type Started = StartedCompletion & { replayed: boolean };

/** One prompt, one answer: a run whose events are folded into a completion. */
@Injectable()
export class CompletionsService {
  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly policy: RunPolicy,
    private readonly runs: Runs,
    private readonly idempotency: Idempotency,
  ) {}

  /** Throws what refuses the request before anything is spent. */
  async start(principal: Principal, dto: CreateCompletionDto, context: CompletionContext): Promise<Started> {
    checkRequest(dto);
    return this.once(principal, dto, { route: 'completions', ...dto }, context);
  }

  /** The same for the last message of a conversation, in the light of those before it. */
  async startChat(principal: Principal, dto: CreateChatDto, context: CompletionContext): Promise<Started> {
    checkRequest(dto);
    const { messages, ...knobs } = dto;
    const question = { ...knobs, ...conversationOf(messages) };
    return this.once(principal, question, { route: 'chat', ...dto }, context);
  }

  private async once(
    principal: Principal,
    question: Question,
    body: Record<string, unknown>,
    context: CompletionContext,
  ): Promise<Started> {
    if (context.idempotencyKey === undefined) {
      return { ...(await this.run(principal, question, context)), replayed: false };
    }
    const claim = await this.idempotency.claim(principal, context.idempotencyKey, body);
    if ('answer' in claim) {
      const completion = claim.answer as CompletionDto;
      return { id: completion.id, endsWithinMs: 0, events: eventsOf(completion), replayed: true };
    }
    try {
      const started = await this.run(principal, question, context);
      return { ...started, events: kept(started.events, claim.ticket), replayed: false };
    } catch (error) {
      await claim.ticket.free();
      throw error;
    }
  }

  private async run(
    principal: Principal,
    dto: Question,
    context: CompletionContext,
  ): Promise<StartedCompletion> {
    const routing = this.route(principal, dto);
    const run = await this.runs.start(
      principal,
      {
        kind: 'completion',
        prompt: dto.prompt,
        history: dto.history,
        system: dto.system,
        model: routing?.model ?? dto.model ?? 'auto',
        sampling: {
          maxTokens: dto.max_tokens,
          stop: dto.stop,
          temperature: dto.temperature,
          topP: dto.top_p,
        },
        timeoutSeconds: dto.timeout_seconds,
        maxCostUsd: dto.max_cost_usd,
        metadata: dto.metadata,
        requestId: context.requestId,
      },
      context.signal,
    );
    const endsWithinMs = run.policy.timeoutSeconds * 1000;
    return { id: run.id, endsWithinMs, allowance: run.allowance, events: this.events(run, dto, routing) };
  }

  private route(principal: Principal, { history = [], ...dto }: Question): RoutingDto | undefined {
    if (dto.model !== undefined && dto.model !== 'auto') return undefined;
    const allowed = this.policy.modelsOf(principal);
    if (allowed.length === 0) return undefined;
    const prompt = [...history.map(({ content }) => content), dto.prompt].join('\n');
    const { family, reasons } = routeModel(
      { prompt, system: dto.system, maxTokens: dto.max_tokens },
      allowed,
    );
    return { model: family, reasons };
  }

  private async *events(
    run: Run,
    dto: CreateCompletionDto,
    routing: RoutingDto | undefined,
  ): AsyncGenerator<CompletionEvent> {
    for await (const event of run.events) {
      switch (event.type) {
        case 'started':
          yield { type: 'started', model: event.model };
          break;
        case 'retry':
          yield { type: 'retry', attempt: event.attempt, upstream_status: event.upstreamStatus };
          break;
        case 'token':
        case 'thinking':
          yield event;
          break;
        case 'ended':
          yield this.lastEvent(run, event.result, dto, routing);
      }
    }
  }

  private lastEvent(
    run: Run,
    result: RunResult,
    dto: CreateCompletionDto,
    routing: RoutingDto | undefined,
  ): CompletionEvent {
    // What the caller cut is told as far as it came; who went away does not hear it.
    const isCut = result.failure?.code === 'cancelled';
    if (result.failure && !isCut) return { type: 'error', error: result.failure };
    if (result.finishReason === 'budget_exceeded' && result.text === '') {
      return {
        type: 'error',
        error: new AppError('budget_exceeded', 'what is left does not pay for an answer'),
      };
    }
    const completion = completionOf(run, result, {
      created: Math.floor(this.clock.now().getTime() / 1000),
      routing,
      metadata: dto.metadata,
      demo: this.config.demo,
    });
    return { type: 'done', completion };
  }
}

/** The same events; the answer is stored before `done` is told, and anything else frees the key. */
async function* kept(
  events: AsyncIterable<CompletionEvent>,
  ticket: IdempotencyTicket,
): AsyncGenerator<CompletionEvent> {
  let answered = false;
  try {
    for await (const event of events) {
      if (event.type === 'done' && event.completion.choices[0]?.finish_reason !== 'cancelled') {
        await ticket.keep(event.completion);
        answered = true;
      }
      yield event;
    }
  } finally {
    if (!answered) await ticket.free();
  }
}
