import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { AppError, newId } from '@app/common';

interface ProtocolError extends Error {
  code?: string;
}
type Exchange = { request: IncomingMessage; response: ServerResponse };

/**
 * Answers what is not HTTP, too slow or too large for Node's parser with our envelope, and closes the
 * connection. Such a request never reaches Express. An answer that has begun is cut, not written into.
 */
export function answerProtocolErrors(server: Server): void {
  const logger = new Logger('http');
  const latest = new WeakMap<Socket, Exchange>();
  server.on('request', (request, response) => latest.set(request.socket, { request, response }));
  server.on('clientError', (error: ProtocolError, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || hasBegun(latest.get(socket))) {
      socket.destroy();
      return;
    }
    const requestId = newId('req');
    const refusal = refusalOf(error);
    logger.log({ msg: 'malformed request', request_id: requestId, status: refusal.status, code: error.code });
    // Not just end(): the rest of what the client sends must not be parsed as another request.
    socket.end(rawResponse(refusal, requestId), () => socket.destroy());
  });
}

/** Whether the bytes at fault belong to a request that has an answer already, whole or in part. */
function hasBegun(exchange: Exchange | undefined): boolean {
  if (!exchange?.response.headersSent) return false;
  return !(exchange.response.writableFinished && exchange.request.complete);
}

function refusalOf(error: ProtocolError): AppError {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request_timeout', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('headers_too_large', 'the request line and headers are limited to 16 KiB');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new AppError('request_too_large', 'the chunk extensions are too large');
    default:
      return new AppError('invalid_request', 'this is not a well-formed HTTP/1.1 request');
  }
}

/** A whole answer, for where no response object is there to write it. */
export function rawResponse(refusal: AppError, requestId: string, headers: string[] = []): string {
  const body = JSON.stringify(refusal.toEnvelope(requestId));
  return [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? 'Refused'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    `x-request-id: ${requestId}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
}
