import type { IncomingMessage } from 'node:http';
import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ThrottlerGuard, type ThrottlerLimitDetail } from '@nestjs/throttler';
import { ACCESS_METADATA, type Access } from '@app/common';
import { AppConfig } from '@app/config';
import { Callers } from '../callers.service.js';
import { presentedKey } from '../presented-key.js';
import { networkOf } from './network.js';
import { StrangerCounts } from './stranger-counts.js';
import { tooManyRequests } from './strangers.errors.js';

const MINUTE_MS = 60_000;

/**
 * Bounds how often a network may ask the routes that need no key. It counts nobody who shows a key that works
 * here, and no route that needs a key: there those who have none are counted by the keys that fail.
 */
@Injectable()
export class StrangersGuard extends ThrottlerGuard {
  // Named, as the throttler's guard names other tokens for these places.
  constructor(
    @Inject(AppConfig) config: AppConfig,
    @Inject(StrangerCounts) counts: StrangerCounts,
    reflector: Reflector,
    private readonly callers: Callers,
  ) {
    const throttlers = [{ ttl: MINUTE_MS, limit: config.unauthenticatedPerMinute }];
    super({ throttlers, setHeaders: false }, counts, reflector);
  }

  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const targets = [context.getHandler(), context.getClass()];
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, targets);
    if (!access || !('public' in access)) return true;
    const presented = presentedKey(context.switchToHttp().getRequest<IncomingMessage>());
    return presented !== undefined && this.callers.knows(presented);
  }

  protected override async getTracker({ socket }: IncomingMessage): Promise<string> {
    return networkOf(socket.remoteAddress ?? '');
  }

  /** One count for all routes. */
  protected override generateKey(_: ExecutionContext, network: string): string {
    return `public ${network}`;
  }

  protected override async throwThrottlingException(
    _: ExecutionContext,
    { timeToBlockExpire }: ThrottlerLimitDetail,
  ): Promise<void> {
    throw tooManyRequests('too many requests without a key from this address', timeToBlockExpire);
  }
}
