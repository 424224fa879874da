import { createHash, randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { canonicalJson } from '@app/audit';
import { AppError, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Answers hold what a model said: they are kept a day, and gone at most this much later. */
const REMOVE_EVERY_MS = 10 * 60_000;
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
export class Idempotency implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(Idempotency.name);
  private timer: NodeJS.Timeout;

  constructor(
    private readonly config: AppConfig,
    private readonly keys: IdempotencyRepository,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.keys.freeAbandoned(this.config.instanceId);
    await this.removeExpired();
    this.timer = setInterval(() => void this.removeExpired(), REMOVE_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
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
    return {
      keep: (answer) => this.tried(this.keys.answer(claim, JSON.stringify(answer))),
      free: () => this.tried(this.keys.free(claim)),
    };
  }

  private removeExpired(): Promise<void> {
    return this.tried(this.keys.removeExpired());
  }

  /** The caller gets what it asked for, answer or error, also when the keys cannot be written. */
  private tried(write: Promise<void>): Promise<void> {
    return write.catch((error: unknown) => {
      this.logger.warn({ msg: 'idempotency keys could not be written', err: error });
    });
  }
}
