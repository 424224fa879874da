import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AppError, type RequestContext } from '@app/common';
import { allowedMethods } from './allowed-methods.js';
import { asAppError, logProblem } from './problem.js';

/**
 * Answers every failure with the one error envelope. What is not an `AppError` and not a known refusal of the
 * framework is a defect: it is logged whole with the request id, and the caller sees a generic 500. An answer
 * that has begun is cut, so that it cannot pass for a whole one.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request & RequestContext>();
    const response = host.switchToHttp().getResponse<Response>();
    const methods = isUnmatched(exception) ? allowedMethods(request) : [];
    const isWrongMethod = methods.length > 0 && !methods.includes(request.method);
    if (methods.length > 0) response.setHeader('allow', methods.join(', '));
    if (methods.length > 0 && request.method === 'OPTIONS') {
      response.status(204).end();
      return;
    }
    const problem = isWrongMethod ? wrongMethod(request.method) : asAppError(exception);
    logProblem(this.logger, problem, request.id);
    if (response.headersSent) response.destroy();
    else if (request.socket.writable) answer(response, problem, request.id);
  }
}

/** Express found no handler; the path may still exist for other methods. */
const isUnmatched = (exception: unknown) =>
  exception instanceof HttpException && exception.getStatus() === 404;

const wrongMethod = (method: string) =>
  new AppError('method_not_allowed', `${method} is not one of this route's methods, see the allow header`);

function answer(response: Response, problem: AppError, requestId: string): void {
  if (problem.retryAfterSeconds !== undefined) {
    response.setHeader('retry-after', String(Math.ceil(problem.retryAfterSeconds)));
  }
  if (problem.code === 'rate_limited') {
    for (const name of ['limit', 'remaining', 'reset']) {
      response.setHeader(`x-ratelimit-${name}`, String(problem.details[name]));
    }
  }
  if (problem.status === 426) response.setHeader('upgrade', 'websocket');
  if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer');
  response.status(problem.status).json(problem.toEnvelope(requestId));
}
