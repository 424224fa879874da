import { once } from 'node:events';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { KeyChanges, type KnownCaller } from '@app/auth';
import { AppError } from '@app/common';
import { WebSocket } from 'ws';
import { CLOSE } from './close-codes.js';
import type { Frame } from './frame.js';
import { STREAM_LIMITS } from './stream-limits.js';
import type { StreamRequest, StreamSocket } from './stream-socket.js';

/** The events of what was just cut may still be on their way. */
const LAST_WORDS_MS = 2_500;
const GOODBYE_MS = 500;
const RECHECK_EVERY_MS = 60_000;

/**
 * Every socket of this process: at most ten of a key, none of a key that has ended, none that is silent or does
 * not say who it is. At shutdown those with nothing under way go at once and the others when they are done.
 */
@Injectable()
export class StreamSockets implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly logger = new Logger('stream');
  private readonly open = new Set<StreamSocket>();
  private readonly ofKey = new Map<string, Set<StreamSocket>>();
  /** Those that have not shown a key: where they come from, and when they must have. */
  private readonly strangers = new Map<StreamSocket, { address: string; deadline: NodeJS.Timeout }>();
  private timer: NodeJS.Timeout;
  private closing = false;

  constructor(private readonly keyChanges: KeyChanges) {}

  onModuleInit(): void {
    this.keyChanges.onChange(({ keyId, kind }) => {
      for (const socket of this.ofKey.get(keyId) ?? []) {
        if (kind === 'revoked') socket.end(CLOSE.keyRevoked, 'the API key was revoked');
        else void this.recheck(socket);
      }
    });
    this.timer = setInterval(() => this.look(), STREAM_LIMITS.lookEveryMs).unref();
  }

  onModuleDestroy(): void {
    this.closing = true;
    for (const socket of this.open) socket.leave();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const busy = [...this.open].filter(({ requests }) => requests.size > 0);
    await closed(busy, LAST_WORDS_MS);
    // Who follows what goes on elsewhere, or does not read.
    for (const socket of busy) socket.end(CLOSE.shuttingDown, 'the service is shutting down');
    await closed(busy, GOODBYE_MS);
    clearInterval(this.timer);
  }

  /** Throws what refuses new work. */
  requireRunning(): void {
    if (this.closing) {
      throw new AppError('shutting_down', 'the service is shutting down', { retryAfterSeconds: 5 });
    }
  }

  /** One request of a socket, from its frame to its last event. */
  async during(
    socket: StreamSocket,
    frame: Frame,
    id: string,
    work: (request: StreamRequest) => Promise<void>,
  ): Promise<void> {
    this.requireRunning();
    const request = socket.begin(id);
    const startedAt = performance.now();
    try {
      await work(request);
    } finally {
      socket.finish(request);
      const ms = Math.round(performance.now() - startedAt);
      const { project, keyId } = socket.principal ?? {};
      this.logger.log({
        msg: 'frame',
        request_id: frame.requestId,
        type: frame.event,
        ms,
        project,
        key: keyId,
      });
    }
  }

  /** Where a socket comes from that has not shown a key. */
  addressOf(socket: StreamSocket): string {
    return this.strangers.get(socket)?.address ?? '';
  }

  /** Throws when this address has too many sockets that have not shown a key. */
  requireRoomForStranger(address: string): void {
    const others = [...this.strangers.values()].filter((stranger) => stranger.address === address);
    if (others.length < STREAM_LIMITS.strangersPerAddress) return;
    throw new AppError('rate_limited', 'too many sockets of this address have not shown a key', {
      retryAfterSeconds: STREAM_LIMITS.authWithinMs / 1000,
    });
  }

  /** Takes a new socket. Without a caller it has a few seconds to show a key. */
  add(socket: StreamSocket, address: string, caller?: KnownCaller): void {
    const openedAt = performance.now();
    this.open.add(socket);
    socket.on('close', (code) => {
      this.forget(socket);
      socket.stopAll();
      const ms = Math.round(performance.now() - openedAt);
      const { project, keyId } = socket.principal ?? {};
      this.logger.log({ msg: 'socket', code, ms, project, key: keyId });
    });
    // ws ends such a socket by itself, with the code of the protocol.
    socket.on('error', (error) => this.logger.debug(`a socket failed: ${error.message}`));
    if (caller) this.admit(socket, caller);
    else this.awaitKey(socket, address);
    if (this.closing) socket.leave();
  }

  /** The socket has shown this caller's key. */
  admit(socket: StreamSocket, { principal, verify }: KnownCaller): void {
    const others = this.ofKey.get(principal.keyId) ?? new Set();
    if (others.size >= STREAM_LIMITS.socketsPerKey) {
      return socket.end(CLOSE.tooManySockets, `at most ${STREAM_LIMITS.socketsPerKey} sockets of a key`);
    }
    if (!socket.isOpen) return;
    this.noStranger(socket);
    this.ofKey.set(principal.keyId, others.add(socket));
    socket.principal = principal;
    socket.verify = verify;
    socket.verifiedAt = performance.now();
    socket.tell({ type: 'ready', project: principal.project, tier: principal.tier });
  }

  private awaitKey(socket: StreamSocket, address: string): void {
    const within = `no auth within ${STREAM_LIMITS.authWithinMs / 1000} s`;
    const deadline = setTimeout(() => socket.end(CLOSE.idle, within), STREAM_LIMITS.authWithinMs);
    this.strangers.set(socket, { address, deadline });
  }

  private noStranger(socket: StreamSocket): void {
    clearTimeout(this.strangers.get(socket)?.deadline);
    this.strangers.delete(socket);
  }

  private forget(socket: StreamSocket): void {
    this.open.delete(socket);
    this.noStranger(socket);
    const keyId = socket.principal?.keyId ?? '';
    const others = this.ofKey.get(keyId);
    others?.delete(socket);
    if (others?.size === 0) this.ofKey.delete(keyId);
  }

  private look(): void {
    const now = performance.now();
    for (const socket of this.open) {
      socket.look(now);
      if (now - socket.verifiedAt > RECHECK_EVERY_MS) void this.recheck(socket);
    }
  }

  /** A key may also have expired, or lost its old secret. A database that cannot be asked is not its fault. */
  private async recheck(socket: StreamSocket): Promise<void> {
    socket.verifiedAt = performance.now();
    try {
      socket.principal = (await socket.verify?.()) ?? socket.principal;
    } catch (error) {
      const isOver = error instanceof AppError && error.code === 'invalid_api_key';
      if (isOver) socket.end(CLOSE.keyRevoked, 'the API key has ended');
    }
  }
}

/** Resolves when all of these are closed, or after so long. */
async function closed(sockets: StreamSocket[], withinMs: number): Promise<void> {
  const deadline = AbortSignal.timeout(withinMs);
  const gone = sockets
    .filter(({ readyState }) => readyState !== WebSocket.CLOSED)
    .map((socket) => once(socket, 'close', { signal: deadline }));
  await Promise.allSettled(gone);
}
