import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ACCESS_METADATA, type Access, type RequestContext, type SocketContext } from '@app/common';
import { InvalidKey } from './auth.errors.js';
import { Callers } from './callers.service.js';
import { takePresentedKey } from './presented-key.js';

/**
 * Puts the Principal on every request but those of public routes, or answers 401. Behind it the request no
 * longer carries the key, on public routes neither. A socket showed its key once: each of its frames reads anew
 * what the key may do.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly callers: Callers,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    const isPublic = access !== undefined && 'public' in access;
    if (context.getType() === 'ws') {
      const socket = context.switchToWs().getClient<SocketContext>();
      if (!isPublic) socket.principal = await verified(socket);
      return true;
    }
    const request = context.switchToHttp().getRequest<IncomingMessage & RequestContext>();
    const presented = takePresentedKey(request);
    if (isPublic) return true;
    const { principal } = await this.callers.identify(presented, request.socket.remoteAddress ?? '');
    request.principal = principal;
    return true;
  }
}

function verified({ verify }: SocketContext): ReturnType<NonNullable<typeof verify>> {
  if (!verify) throw new InvalidKey('missing');
  return verify();
}
