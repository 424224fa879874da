import { HttpException, type Logger } from '@nestjs/common';
import { AppError, type ErrorCode } from '@app/common';

/** What the framework throws, in our words: its own texts may name paths, parsers or modules. */
const FRAMEWORK_ERRORS: Record<number, [ErrorCode, string]> = {
  400: ['invalid_request', 'the request is not well-formed'],
  403: ['permission_denied', 'this is not allowed'],
  404: ['not_found', 'there is no such route'],
  413: ['request_too_large', 'the request is too large'],
};

/** What the caller is told of anything that was thrown. */
export function asAppError(exception: unknown): AppError {
  if (exception instanceof AppError) return exception;
  if (exception instanceof HttpException) {
    const known = FRAMEWORK_ERRORS[exception.getStatus()];
    // Of an unknown route it says the address only, and addresses hold mistakes.
    const cause = exception.getStatus() === 404 ? undefined : exception;
    if (known) return new AppError(...known, { cause });
  }
  return new AppError('internal_error', 'something went wrong on our side; quote the request id', {
    cause: exception ?? new Error('nothing was thrown'),
  });
}

/** Only what the caller is not told is worth a line; what they are told may quote them. */
export function logProblem(logger: Logger, problem: AppError, requestId: string): void {
  if (problem.cause === undefined) return;
  const msg = problem.status >= 500 ? problem.message : 'a request was refused';
  const entry = { msg, request_id: requestId, code: problem.code, err: problem.cause };
  if (problem.code === 'internal_error') logger.error(entry);
  else if (problem.status >= 500) logger.warn(entry);
  else logger.debug(entry);
}
