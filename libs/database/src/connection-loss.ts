import { types } from 'node:util';
import { AppError } from '@app/common';

/**
 * Classes 08 (connection), 53 (no resources), 57P (shut down, starting); a wrong password or a timeout too; and
 * what Postgres undid in favour of another transaction: nothing was written, the same may be tried again.
 */
const SQL_STATES = /^(08...|53...|57P..|28P01|25P03|57014|40P01|40001)$/;
const SOCKET_CODES = /^(ECONN|EHOST|ENET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/;
/** What pg, its pool and TypeORM say. A transaction's runner is released early only when its connection is lost. */
const MESSAGES =
  /already released|^(Connection terminated|timeout exceeded when trying|timeout expired|Query read timeout|Client (was closed|has encountered)|Cannot use a pool)/;

/** Whether the error says that the database is away, rather than that it refused what we asked. */
export function isConnectionLoss(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  const { code, driverError } = error as Error & { code?: unknown; driverError?: unknown };
  if (driverError && driverError !== error) return isConnectionLoss(driverError);
  if (typeof code === 'string') return SQL_STATES.test(code) || SOCKET_CODES.test(code);
  return MESSAGES.test(error.message);
}

/** Connection losses become `database_unavailable`; every other error stays what it is. */
export function asUnavailable(error: unknown): unknown {
  if (!isConnectionLoss(error)) return error;
  return new AppError('database_unavailable', 'The database cannot be reached at the moment. Try again.', {
    retryAfterSeconds: 1,
    cause: error,
  });
}
