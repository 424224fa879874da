import { AsyncLocalStorage } from 'node:async_hooks';
import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, destination, pino, type Level, type Logger } from 'pino';
import { AppError } from '@app/common';
import type { AppConfig } from '@app/config';
import { redactor } from './redaction.js';

/** The request that the current code works for: its id is put on every line that is logged meanwhile. */
export const requestScope = new AsyncLocalStorage<{ request_id: string }>();

/** Nest tells each module and route at start: worth a line only when something is wrong with them. */
const CHATTER = new Set([
  'InstanceLoader',
  'RouterExplorer',
  'RoutesResolver',
  'NestFactory',
  'NestApplication',
  'WebSocketsController',
]);

/**
 * The log: one JSON object a line, to stderr, with secrets removed from the finished line whatever it was made
 * of. Everybody logs through Nest's `Logger`: `logger.warn({ msg, …fields })` or a plain text.
 */
export class StructuredLog implements LoggerService {
  private readonly pino: Logger;

  constructor(config: AppConfig, sink: DestinationStream = destination({ dest: 2, sync: true })) {
    const redact = redactor(config);
    this.pino = pino(
      {
        level: config.logLevel,
        base: undefined,
        serializers: { err: failure },
        // A copy: pino writes the fields of the line into it.
        mixin: () => ({ ...requestScope.getStore() }),
      },
      { write: (line) => sink.write(redact(line)) },
    );
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write(CHATTER.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  /** Nest passes the context last; before it, for errors, a stack. */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const context = rest.at(-1);
    const stack = rest.length > 1 ? rest[0] : undefined;
    if (message instanceof Error) this.pino[level]({ context, err: message });
    else if (typeof message === 'object') this.pino[level]({ context, ...message });
    else this.pino[level]({ context, stack }, String(message));
  }
}

/**
 * Names what failed. Not the error's other fields: a database error carries the values of the query. Nor what a
 * caller is told of their own request: it may quote them.
 */
function failure(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const cause = error.cause === undefined ? undefined : failure(error.cause);
  if (error instanceof AppError && error.status < 500) return { name: error.name, code: error.code, cause };
  const { name, message, stack } = error;
  return { name, message, code: (error as { code?: unknown }).code, stack, cause };
}
