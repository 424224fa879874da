import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ACCESS_METADATA, type Access, AppError, principalIn, requireScope } from '@app/common';

/**
 * Lets a request through only when its route declares what it needs and the caller has it. A route that
 * declares nothing is closed to everybody, so forgetting a decorator can never open one.
 */
@Injectable()
export class PermissionsGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (!access) throw new AppError('permission_denied', 'this route is open to nobody');
    if ('public' in access) return true;
    requireScope(principalIn(context), access.requires);
    return true;
  }
}
