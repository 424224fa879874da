import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ACCESS_METADATA, type Access, type RequestContext } from '@app/common';
import { AuthFailures } from './auth-failures.js';
import { InvalidKey } from './auth.errors.js';
import { kidOf } from './key-format.js';
import { KeyVerifier } from './key-verifier.js';
import { takePresentedKey } from './presented-key.js';

/**
 * Puts the Principal on every request but those of public routes, or answers 401. Behind it the request no
 * longer carries the key, on public routes neither.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: KeyVerifier,
    private readonly failures: AuthFailures,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<IncomingMessage & RequestContext>();
    const presented = takePresentedKey(request);
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (access && 'public' in access) return true;
    try {
      if (presented === undefined) throw new InvalidKey('missing');
      request.principal = await this.verifier.verify(presented);
      return true;
    } catch (error) {
      if (error instanceof InvalidKey) this.failures.add(error.fault, presented && kidOf(presented));
      throw error;
    }
  }
}
