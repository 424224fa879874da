import { AppError } from '@app/common';

/** Also the answer for a project that the caller does not manage. */
export function noSuchChain(): AppError {
  return new AppError('not_found', 'the audit has no such project', { param: 'project' });
}
