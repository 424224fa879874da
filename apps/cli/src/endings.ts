import { AppError } from '@app/common';
import { ConfigError } from '@app/config';
import { UsageError, VerbFailure } from './failures.js';

/** How a failed command ends: what it says, in words and as the API's envelope, and its exit code. */
interface Ending {
  message: string;
  envelope: object;
  exitCode: number;
}

/** A value that the services refuse was a wrong option of the command line. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) {
    return ending(error.message, 'invalid_request_error', 'invalid_request', 2);
  }
  if (error instanceof AppError) {
    const envelope = { ...error.toEnvelope(''), request_id: null };
    return { message: error.message, envelope, exitCode: error.code === 'invalid_request' ? 2 : 1 };
  }
  if (error instanceof VerbFailure) {
    const known = ending(error.message, 'api_error', error.code, error.code === 'invalid_request' ? 2 : 1);
    return { ...known, envelope: error.envelope ?? known.envelope };
  }
  if (error instanceof ConfigError) return ending(error.message, 'api_error', 'bad_configuration', 1);
  const message = error instanceof Error ? error.message : String(error);
  return ending(`unexpected: ${message}`, 'api_error', 'internal_error', 1);
}

function ending(message: string, type: string, code: string, exitCode: number): Ending {
  const error = { type, code, message, param: null, details: {} };
  return { message, envelope: { type: 'error', error, request_id: null }, exitCode };
}
