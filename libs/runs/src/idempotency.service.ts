import { createHash, randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { canonicalJson } from '@app/audit';
import { AppError, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import { IdempotencyRepository } from './idempotency.repository.js';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** The right to answer one idempotency key: `keep` stores the answer for a day, `free` lets the next try run. */
export interface IdempotencyTicket {
  keep(answer: unknown): Promise<void>;
  free(): Promise<void>;
}

/**
 * Makes a POST that costs money safe to repeat: per project, one key has one request and, once it succeeded,
 * one answer. A second try in flight is a conflict, the same key with another body a mismatch.
 */
@Injectable()
export class Idempotency implements OnModuleInit {
  private readonly logger = new Logger(Idempotency.name);

  constructor(
    private readonly config: AppConfig,
    private readonly keys: IdempotencyRepository,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.keys.clear(this.config.instanceId);
  }

  /** `body`: everything that makes the request what it is, its route included. */
  async claim(
    principal: Principal,
    key: string,
    body: Record<string, unknown>,
  ): Promise<{ ticket: IdempotencyTicket } | { answer: unknown }> {
    if (!KEY.test(key)) {
      throw new AppError('invalid_request', 'idempotency-key must be 1 to 255 printable ASCII characters', {
        param: 'idempotency-key',
      });
    }
    const fingerprint = createHash('sha256').update(canonicalJson(body)).digest('hex');
    const claim = { project: principal.project, key, ticket: randomUUID() };
    const known = await this.keys.claim({ ...claim, instance: this.config.instanceId, fingerprint });
    if (!known) return { ticket: this.ticketOf(claim) };
    if (known.fingerprint !== fingerprint) {
      throw new AppError('idempotency_mismatch', 'this idempotency-key was used with another request', {
        param: 'idempotency-key',
      });
    }
    if (known.answer !== null) return { answer: JSON.parse(known.answer) };
    throw new AppError('idempotency_in_flight', 'a request with this idempotency-key is still running', {
      param: 'idempotency-key',
      retryAfterSeconds: 1,
    });
  }

  private ticketOf(claim: { project: string; key: string; ticket: string }): IdempotencyTicket {
    // The caller gets what it asked for, answer or error, also when the key cannot be written.
    const written = (write: Promise<void>) =>
      write.catch((error: unknown) => {
        this.logger.warn({ msg: 'an idempotency key could not be written', err: error });
      });
    return {
      keep: (answer) => written(this.keys.answer(claim, JSON.stringify(answer))),
      free: () => written(this.keys.free(claim)),
    };
  }
}
