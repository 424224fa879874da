import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Injectable, Logger } from '@nestjs/common';
import { Callers, type KnownCaller, takePresentedKey } from '@app/auth';
import { AppError, newId } from '@app/common';
import { AppConfig } from '@app/config';
import type { WebSocketServer } from 'ws';
import { asAppError, logProblem } from '../http/problem.js';
import { rawResponse } from '../http/protocol-errors.js';
import { StreamSockets } from './stream-sockets.js';
import type { StreamSocket } from './stream-socket.js';

export const STREAM_PATH = '/v1/stream';
const ONCE = ['authorization', 'x-api-key', 'host', 'origin'];

/**
 * Decides who may open a socket, before there is one: another path, version, origin or key than it should be is
 * answered over HTTP with the one envelope. A client without a key header may show its key in the first frame.
 */
@Injectable()
export class Handshake {
  private readonly logger = new Logger('stream');

  constructor(
    private readonly config: AppConfig,
    private readonly callers: Callers,
    private readonly sockets: StreamSockets,
  ) {}

  serve(http: Server, webSockets: WebSocketServer): void {
    const latest = new WeakMap<Socket, ServerResponse>();
    http.on('request', (request, response) => latest.set(request.socket, response));
    http.on('upgrade', (request, wire: Socket, head) => {
      // Node would write the answer to an earlier request of this connection among the frames.
      if (latest.get(wire)?.writableFinished === false) wire.destroy();
      else void this.open(webSockets, request, wire, head);
    });
    // What ws itself finds wrong with the headers: without a listener it would answer in words of its own.
    webSockets.on('wsClientError', (error, wire) => {
      const refusal = new AppError('invalid_request', 'this is not a well-formed WebSocket handshake', {
        cause: error,
      });
      refuse(wire as Socket, refusal, newId('req'));
    });
  }

  private async open(
    webSockets: WebSocketServer,
    request: IncomingMessage,
    wire: Socket,
    head: Buffer,
  ): Promise<void> {
    const requestId = newId('req');
    const destroy = () => wire.destroy();
    wire.on('error', destroy);
    try {
      this.check(request);
      const caller = await this.callerOf(request, wire);
      // The service may have begun to shut down meanwhile, and then nobody would ever end this socket.
      this.sockets.requireRunning();
      wire.off('error', destroy);
      if (wire.destroyed) return;
      const address = wire.remoteAddress ?? '';
      webSockets.handleUpgrade(request, wire, head, (client) => {
        const socket = client as StreamSocket;
        socket.watch(wire);
        webSockets.emit('connection', socket, request);
        this.sockets.add(socket, address, caller);
      });
    } catch (error) {
      const problem = asAppError(error);
      logProblem(this.logger, problem, requestId);
      refuse(wire, problem, requestId);
    }
  }

  private check(request: IncomingMessage): void {
    const twice = ONCE.find((name) => (request.headersDistinct[name]?.length ?? 0) > 1);
    if (twice) throw new AppError('invalid_request', `the ${twice} header is given twice`);
    if (request.url?.split('?')[0] !== STREAM_PATH) {
      throw new AppError('not_found', `there is no WebSocket here: it is at ${STREAM_PATH}`);
    }
    if (request.headers['sec-websocket-version'] !== '13') {
      throw new AppError('upgrade_required', 'only version 13 of the WebSocket protocol is spoken');
    }
    if (!this.mayComeFrom(request)) {
      throw new AppError(
        'permission_denied',
        'pages of this origin may not open a socket: the operator can add it to ALLOWED_ORIGINS',
      );
    }
  }

  /** Programs send no origin. A page of our own host may, and those that the operator lists. */
  private mayComeFrom({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined || this.config.allowedOrigins.includes(origin)) return true;
    return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
  }

  private async callerOf(request: IncomingMessage, wire: Socket): Promise<KnownCaller | undefined> {
    const { authorization, 'x-api-key': apiKey } = request.headers;
    const presented = takePresentedKey(request);
    const address = wire.remoteAddress ?? '';
    if (authorization !== undefined || apiKey !== undefined) return this.callers.identify(presented, address);
    this.sockets.requireRoomForStranger(address);
    return undefined;
  }
}

function refuse(wire: Socket, problem: AppError, requestId: string): void {
  const headers: string[] = [];
  if (problem.status === 401) headers.push('www-authenticate: Bearer');
  if (problem.status === 426) headers.push('upgrade: websocket', 'sec-websocket-version: 13');
  if (problem.retryAfterSeconds !== undefined)
    headers.push(`retry-after: ${Math.ceil(problem.retryAfterSeconds)}`);
  wire.on('error', () => wire.destroy());
  wire.end(rawResponse(problem, requestId, headers), () => wire.destroySoon());
}
