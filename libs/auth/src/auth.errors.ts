import { AppError } from '@app/common';

/** Why a key does not work; `unknown` is also a wrong secret. For the audit, never for the caller. */
export type KeyFault = 'missing' | 'malformed' | 'unknown' | 'revoked' | 'expired';

/** The one answer to every key that does not work: it must not tell a wrong key from a revoked one. */
export class InvalidKey extends AppError {
  constructor(readonly fault: KeyFault) {
    super(
      'invalid_api_key',
      'a valid API key is needed: send it as "Authorization: Bearer <key>" or as "x-api-key: <key>"; "claude-api keys create" makes one',
    );
  }
}

/** Also the answer for a key of another project. */
export function noSuchKey(): AppError {
  return new AppError('not_found', 'there is no such key');
}

/** Also the answer for a project that the caller does not manage. */
export function noSuchProject(): AppError {
  return new AppError('not_found', 'there is no such project');
}

export function projectDisabled(id: string): AppError {
  return new AppError('conflict', `the project ${id} is disabled: enable it first`, { param: 'project_id' });
}

export function invalidInput(param: string, message: string): AppError {
  return new AppError('invalid_request', `${param} ${message}`, { param });
}
