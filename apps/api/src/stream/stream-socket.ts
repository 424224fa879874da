import type { Socket } from 'node:net';
import { AppError, newId, type Principal, type SocketContext } from '@app/common';
import { WebSocket } from 'ws';
import { CLOSE, type CloseCode } from './close-codes.js';
import { STREAM_LIMITS } from './stream-limits.js';
import { TokenBucket } from './token-bucket.js';
import { Unread } from './unread.js';
import { UnfinishedFrame } from './unfinished-frame.js';

/** Something that a client has under way on its socket. */
export interface StreamRequest {
  id: string;
  /** Of what follows a task: its id, once it is known; undefined when it was refused. */
  task?: Promise<string | undefined>;
  stop: AbortController;
  /** Resolves when nothing more is told of it and its id is free. */
  over: Promise<void>;
  end: () => void;
}

/**
 * One client: who it is, what it has under way, and how much it leaves unread. A reader that is too far behind
 * is closed, whatever else it does; what a client has under way is stopped the moment its socket ends.
 */
export class StreamSocket extends WebSocket implements SocketContext {
  principal?: Principal;
  verify?: () => Promise<Principal>;
  readonly requests = new Map<string, StreamRequest>();
  /** When the key was last looked at. */
  verifiedAt = performance.now();
  private introduction: Promise<void> = Promise.resolve();
  private heldBytes = 0;
  private readonly unread = new Unread();
  private waitingBytes = 0;
  private unfinished?: UnfinishedFrame;
  private leaving = false;
  private readonly frames = new TokenBucket(STREAM_LIMITS.framesPerSecond, STREAM_LIMITS.framesPerSecond);
  private readonly faults = new TokenBucket(
    STREAM_LIMITS.faultsPerMinute,
    STREAM_LIMITS.faultsPerMinute / 60,
  );
  private pingedAt = performance.now();
  /** When the first ping was sent that is not answered yet. */
  private unansweredSince?: number;

  get isOpen(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  /** Sends a frame now, unless the reader is too far behind. */
  tell(frame: object): void {
    if (!this.isOpen) return;
    this.endIfTooSlow();
    if (this.isOpen) this.send(JSON.stringify(frame), this.unread.sent());
  }

  tellError(error: AppError, requestId: string, id?: string): void {
    const { error: told } = error.toEnvelope(requestId);
    this.tell({ type: 'error', id, error: told, request_id: requestId });
  }

  /** So many bytes more, or fewer, wait elsewhere for the reader to take what it was sent. */
  waits(change: number): void {
    this.waitingBytes += change;
    if (this.isOpen) this.endIfTooSlow();
  }

  /** Resolves once the reader has taken enough to be sent more, or is gone. */
  async hasRead(pacedFromBytes = STREAM_LIMITS.pacedFromBytes): Promise<void> {
    if (this.isOpen && this.bufferedAmount > pacedFromBytes) await this.unread.taken();
  }

  /** Says goodbye. The client has a few seconds to answer; what it has under way ends at once. */
  end(code: CloseCode, reason = ''): void {
    if (this.isOpen) this.close(code, reason);
  }

  /** Also called by ws itself, when the client says goodbye or breaks the protocol. */
  override close(code?: number, reason?: string | Buffer): void {
    this.stopAll();
    this.unread.letGo();
    super.close(code, reason);
  }

  /** Counts a frame or ping. False = over the rate, which was answered. */
  mayReceive(idOf: () => string | undefined = () => undefined): boolean {
    if (this.frames.take()) return true;
    const limit = STREAM_LIMITS.framesPerSecond;
    const error = new AppError(
      'rate_limited',
      `at most ${limit} frames a second: send this one again later`,
      {
        retryAfterSeconds: 1,
        details: { frames_per_second: limit, retry_after_seconds: 1 },
      },
    );
    if (this.faults.take()) this.tellError(error, newId('req'), idOf());
    else this.end(CLOSE.flood, 'too many frames');
    return false;
  }

  /**
   * Frames of a client that is not known yet are handled one after the other: the first one must say who it is.
   * Who is not known has no more memory here than one frame may take.
   */
  hold(bytes: number, handle: () => Promise<void> | undefined): void {
    this.heldBytes += bytes;
    if (this.heldBytes > STREAM_LIMITS.frameBytes) return this.end(CLOSE.notAuthenticated, 'wait for ready');
    this.introduction = this.inTurn(this.introduction, handle, bytes);
  }

  private async inTurn(
    before: Promise<void>,
    handle: () => Promise<void> | undefined,
    bytes: number,
  ): Promise<void> {
    await before;
    if (this.isOpen) await handle();
    this.heldBytes -= bytes;
  }

  /** Answers what is no frame; who sends it again and again is sent away. */
  complain(error: AppError, requestId: string): void {
    this.tellError(error, requestId);
    if (!this.faults.take()) this.end(CLOSE.malformed, 'too many malformed frames');
  }

  /** Throws when the id stands for something already. */
  begin(id: string): StreamRequest {
    if (this.requests.has(id)) {
      throw new AppError('conflict', 'this id is in use on this socket', { param: 'id', details: { id } });
    }
    if (this.requests.size >= STREAM_LIMITS.requests) {
      throw new AppError('concurrency_limited', `a socket has at most ${STREAM_LIMITS.requests} requests`, {
        retryAfterSeconds: 1,
      });
    }
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve));
    const request = { id, stop: new AbortController(), over, end };
    if (!this.isOpen) request.stop.abort();
    this.requests.set(id, request);
    return request;
  }

  finish(request: StreamRequest): void {
    this.requests.delete(request.id);
    request.end();
    if (this.leaving) this.leave();
  }

  /** Ends the socket once nothing is under way. */
  leave(): void {
    this.leaving = true;
    if (this.requests.size === 0) this.end(CLOSE.shuttingDown, 'the service is shutting down');
  }

  stopAll(): void {
    for (const { stop } of this.requests.values()) stop.abort();
  }

  /** Watches the bytes that come, so that a frame without an end is noticed. */
  watch(wire: Socket): void {
    const unfinished = new UnfinishedFrame(wire);
    this.unfinished = unfinished;
    this.on('message', () => unfinished.ended());
    this.on('ping', (data) => unfinished.sawControlFrame(data.length));
    this.on('pong', (data) => {
      unfinished.sawControlFrame(data.length);
      this.unansweredSince = undefined;
    });
  }

  /** Called now and then: pings, and ends what gives no sign of life, does not read or never ends a frame. */
  look(now: number): void {
    if (!this.isOpen) return;
    if (this.unread.since(now) > STREAM_LIMITS.unreadForMs) return this.end(CLOSE.tooSlow, 'not reading');
    if (now - (this.unansweredSince ?? now) > STREAM_LIMITS.pongWithinMs)
      return this.end(CLOSE.idle, 'no pong');
    if ((this.unfinished?.since(now) ?? 0) > STREAM_LIMITS.frameWithinMs)
      return this.end(CLOSE.idle, 'a frame did not end');
    if (now - this.pingedAt < STREAM_LIMITS.pingEveryMs) return;
    this.pingedAt = now;
    this.unansweredSince ??= now;
    this.ping();
  }

  /** A reader who has taken all that was sent is not behind, however much comes at once. */
  private endIfTooSlow(): void {
    const sent = this.bufferedAmount;
    if (sent > 0 && sent + this.waitingBytes > STREAM_LIMITS.unreadBytes)
      this.end(CLOSE.tooSlow, 'too far behind');
  }
}
