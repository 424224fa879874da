import { AppError } from '@app/common';

export function tooManyRequests(what: string, retryAfterSeconds: number): AppError {
  return new AppError('rate_limited', `${what}: wait ${retryAfterSeconds} s`, { retryAfterSeconds });
}
