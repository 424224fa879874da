import type { NextFunction, Request, Response } from 'express';
import { AppError, newId, type RequestContext } from '@app/common';
import type { Draining } from '../draining.js';
import { AccessLog } from '../logging/access-log.js';
import { requestScope } from '../logging/structured-log.js';

const MAX_HEADERS = 100;
/** Headers that decide who asks, or how the body is read: given twice, two readers could see two things. */
const SINGLE_HEADERS = new Set([
  'authorization',
  'content-encoding',
  'content-type',
  'host',
  'idempotency-key',
  'x-api-key',
]);

/**
 * The first thing that sees a request: gives it its id (also on the answer and in the log, whatever the answer)
 * and refuses what no route should meet: ambiguous or too many headers, a NUL in the address, new work while
 * the server shuts down.
 */
export function ingress(draining: Draining) {
  const accessLog = new AccessLog();
  return (request: Request & RequestContext, response: Response, next: NextFunction): void => {
    request.id = newId('req');
    response.setHeader('x-request-id', request.id);
    response.setHeader('cache-control', 'no-store');
    if (draining.hasBegun) response.setHeader('connection', 'close');
    accessLog.watch(request, response);
    const isRefused = draining.hasBegun && request.path !== '/health';
    const fault = isRefused ? shuttingDown() : (headerFault(request) ?? addressFault(request));
    requestScope.run({ request_id: request.id }, () => next(fault));
  };
}

const shuttingDown = () =>
  new AppError('shutting_down', 'the service is shutting down', { retryAfterSeconds: 5 });

function headerFault(request: Request): AppError | undefined {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.length > MAX_HEADERS) {
    return new AppError('headers_too_large', `at most ${MAX_HEADERS} headers are read`);
  }
  const twice = names.find((name, index) => SINGLE_HEADERS.has(name) && names.indexOf(name) !== index);
  if (twice) return new AppError('invalid_request', `the ${twice} header is given twice`);
  if (request.httpVersion === '1.1' && request.headers.host === undefined) {
    return new AppError('invalid_request', 'the host header is missing');
  }
  return undefined;
}

/** No text column and no file name can hold a NUL. */
function addressFault(request: Request): AppError | undefined {
  return request.url.includes('%00')
    ? new AppError('invalid_request', 'the address holds a NUL character')
    : undefined;
}
