import type { ModelCall, ModelUsage, RunMeter } from '../run-meter.js';
import type { Sampling } from '../run-spec.js';
import type { AnswerReader, Said } from './answer-reader.js';
import { outOfBounds } from './out-of-bounds.js';
import type { MessagesRequest } from './upstream-body.js';

/** Output below this is not worth a call: the answer would be a fragment. */
const LEAST_USEFUL_TOKENS = 256;

/** What may be on its way at once. The CLI has ten subagents at work at most, each with some megabytes. */
const MOST_CALLS = 32;
const MOST_HELD_BYTES = 64 * 1024 * 1024;
/** What calls that came to nothing may add up to: each costs us time, and the run nothing. */
const MOST_WASTED_BYTES = 128 * 1024 * 1024;
const WASTED_BY_ANY_CALL = 64 * 1024;

/** One for all: making an error takes longer than what it stops. */
const OVER = new Error('the run is over');

/** Why the broker would not forward a call. `money` ends the run as over budget. */
export interface CallRefusal {
  kind: 'money' | 'model' | 'answered' | 'cut' | 'bounds' | 'flood' | 'unproven';
  message: string;
}

/** The last thing that the model's API answered to a call that did not succeed. */
export interface UpstreamFailure {
  status: number | null;
  message: string;
  retryAfterSeconds?: number;
}

export interface RunToBind {
  runId: string;
  model: string;
  sampling: Sampling;
  meter: RunMeter;
  /** A task makes as many calls as it needs, its subagents to these models too. */
  agentic?: { models: readonly string[] };
  /**
   * For a process that serves one text run after the other: makes the request of the run out of that of the
   * process. Undefined = it holds something that is not this run's.
   */
  compose?: (request: MessagesRequest) => MessagesRequest | undefined;
  /** Hears what the model says, before the CLI tells of it. */
  onSaid?: (said: Said) => void;
  /** A call has come to its end, whole or cut. */
  onAnswer?: () => void;
}

/** A call as it may go out. */
interface Authorised {
  call: ModelCall;
  request: MessagesRequest;
}

/**
 * What the broker knows of the one run that a token stands for: which models it may call, what its calls cost
 * and how the last one ended. A text run gets exactly one answer: the CLI goes on by itself after `max_tokens`
 * and after a refusal, and would retry a stream that was cut when half of it has been shown.
 */
export class BoundRun {
  stopReason: string | null = null;
  answered = false;
  refusal: CallRefusal | null = null;
  failure: UpstreamFailure | null = null;
  /** Money, not the caller, set the length of the last answer. */
  lengthSetByMoney = false;
  readonly aborted = new AbortController();
  /** A model call was let through, whatever became of it. */
  hasCalled = false;
  private lastAnswer: AnswerReader | undefined;
  private cut = false;
  private heldBytes = 0;
  private wastedBytes = 0;
  private readonly usages: ModelUsage[] = [];
  private readonly inFlight = new Set<Promise<void>>();

  constructor(private readonly run: RunToBind) {}

  get runId(): string {
    return this.run.runId;
  }

  get isTask(): boolean {
    return this.run.agentic !== undefined;
  }

  get sampling(): Sampling {
    return this.run.sampling;
  }

  /** Too many calls came to nothing: no other is looked at. */
  get isBarred(): boolean {
    return this.wastedBytes > MOST_WASTED_BYTES;
  }

  /** Is there room for so much more of what this run sends? What was taken is given back by `letGo`. */
  hold(bytes: number): boolean {
    if (this.inFlight.size > MOST_CALLS || this.heldBytes + bytes > MOST_HELD_BYTES) return false;
    this.heldBytes += bytes;
    return true;
  }

  letGo(bytes: number): void {
    this.heldBytes -= bytes;
  }

  /** A call of this size came to nothing. */
  waste(bytes: number): void {
    this.wastedBytes += bytes + WASTED_BY_ANY_CALL;
    if (this.isBarred) this.refusal = { kind: 'flood', message: 'too many calls came to nothing' };
  }

  /** May this call be forwarded, and with how many output tokens at most? */
  async authorise(asked: MessagesRequest, inputBytes: number): Promise<Authorised | CallRefusal> {
    const verdict = await this.refusalOrCall(asked, inputBytes);
    if ('kind' in verdict) this.refusal = verdict;
    else this.hasCalled = true;
    return verdict;
  }

  private async refusalOrCall(asked: MessagesRequest, bytes: number): Promise<Authorised | CallRefusal> {
    if (!this.run.agentic) {
      if (this.answered) return { kind: 'answered', message: 'this run already has its answer' };
      if (this.cut) return { kind: 'cut', message: 'the answer was cut after a part of it was sent' };
    }
    const request = this.run.compose ? this.run.compose(asked) : asked;
    if (!request) return { kind: 'unproven', message: 'this request is not what the run says' };
    if (request.model !== this.run.model && !this.run.agentic?.models.includes(request.model)) {
      return { kind: 'model', message: `this run may not call ${request.model}` };
    }
    const beyond = outOfBounds(request);
    if (beyond) return { kind: 'bounds', message: beyond };
    const wanted = Math.min(request.max_tokens, this.run.sampling.maxTokens ?? request.max_tokens);
    const inputBytes = request === asked ? bytes : Buffer.byteLength(JSON.stringify(request));
    const leastTokens = Math.min(LEAST_USEFUL_TOKENS, wanted);
    const call: ModelCall = { model: request.model, inputBytes, maxTokens: wanted, leastTokens };
    const verdict = await this.run.meter.authorise(call);
    if ('refused' in verdict) return { kind: 'money', message: verdict.refused };
    this.lengthSetByMoney = verdict.maxTokens < wanted;
    return { call: { ...call, maxTokens: verdict.maxTokens }, request };
  }

  /** What each call used that ended since the last time, as far as the model's API said. */
  takeUsages(): ModelUsage[] {
    return this.usages.splice(0);
  }

  /** The text of the last answer, as far as it came: also when nobody was left to read it. */
  get answerText(): string {
    return this.lastAnswer?.text ?? '';
  }

  /** What the model says is told from here: nobody waits for the CLI to tell it. */
  get isHeard(): boolean {
    return this.run.onSaid !== undefined;
  }

  /** What the model says to a text run. */
  readonly heard = (said: Said): void => this.run.onSaid?.(said);

  /** The model has said all that it had to say, of its own will: nothing comes after it. */
  get isWhole(): boolean {
    return this.answered && this.stopReason === 'end_turn';
  }

  /** A call came to its end, whole or cut. */
  finish(call: ModelCall, answer: AnswerReader): void {
    this.lastAnswer = answer;
    this.settle(call, answer.usage);
    this.stopReason = answer.stopReason;
    this.answered = answer.complete;
    this.cut = answer.hasContent && !answer.complete;
    if (answer.complete) this.failure = null;
    else this.note({ status: null, message: 'the answer was cut' });
    this.run.onAnswer?.();
  }

  /** A call was answered with an error (`usage` is null: it was not taken), or not at all. */
  fail(call: ModelCall, failure: UpstreamFailure, usage: ModelUsage | null = null): void {
    this.settle(call, usage);
    this.note(failure);
  }

  /** Remembers a call that is under way, so that `abort` can wait for what it used. */
  async track(call: Promise<void>): Promise<void> {
    this.inFlight.add(call);
    try {
      await call;
    } finally {
      this.inFlight.delete(call);
    }
  }

  /** Resolves when no call is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.inFlight);
  }

  async abort(): Promise<void> {
    this.aborted.abort(OVER);
    await this.settled();
  }

  /** A call that is cut because its run has ended is no trouble of the model's API. */
  private note(failure: UpstreamFailure): void {
    if (!this.aborted.signal.aborted) this.failure = failure;
  }

  private settle(call: ModelCall, usage: ModelUsage | null): void {
    this.run.meter.record(call, usage);
    if (usage) this.usages.push(usage);
  }
}
