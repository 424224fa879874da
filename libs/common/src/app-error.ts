import { ERROR_TABLE, type ErrorCode } from './error-table.js';

interface AppErrorOptions {
  /** The input field at fault. */
  param?: string;
  /** Public facts that help the caller act; never a secret, path or stack. */
  details?: Record<string, unknown>;
  /** Seconds to wait before another try; becomes the `retry-after` header. */
  retryAfterSeconds?: number;
  /** What really happened. Goes to the log with the request id, never to the caller. */
  cause?: unknown;
}

/** The one error that crosses lib borders: a code of the error table and a message meant for the caller. */
export class AppError extends Error {
  readonly param: string | null;
  readonly details: Record<string, unknown>;
  readonly retryAfterSeconds?: number;

  constructor(
    readonly code: ErrorCode,
    publicMessage: string,
    options: AppErrorOptions = {},
  ) {
    super(publicMessage, { cause: options.cause });
    this.name = 'AppError';
    this.param = options.param ?? null;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  /** The envelope that both OpenAI's and Anthropic's SDKs parse. */
  toEnvelope(requestId: string) {
    return {
      type: 'error' as const,
      error: {
        type: ERROR_TABLE[this.code].type,
        code: this.code,
        message: this.message,
        param: this.param,
        details: this.details,
      },
      request_id: requestId,
    };
  }
}
