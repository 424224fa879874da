import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type AppError, type Principal, Public, Requires, type Scope } from '@app/common';
import { PermissionsGuard } from './permissions.guard.js';

class Routes {
  @Public() open() {}
  @Requires('keys:read') listKeys() {}
  forgotten() {}
}

@Requires('keys:read')
class ClosedRoutes {
  inherits() {}
  @Public() open() {}
}

const admin: Scope[] = ['keys:read'];

function ask(routes: new () => object, method: string, scopes?: Scope[]): boolean | AppError {
  const principal = scopes && ({ scopes: new Set(scopes) } as unknown as Principal);
  const context = {
    getHandler: () => routes.prototype[method],
    getClass: () => routes,
    getType: () => 'http',
    switchToHttp: () => ({ getRequest: () => ({ id: 'req_1', principal }) }),
  } as unknown as ExecutionContext;
  try {
    return new PermissionsGuard(new Reflector()).canActivate(context);
  } catch (error) {
    return error as AppError;
  }
}

describe('the permissions guard', () => {
  it('closes a route that declares nothing, even to an administrator', () => {
    expect(ask(Routes, 'forgotten', admin)).toMatchObject({ code: 'permission_denied' });
  });

  it('opens a public route to a caller without a key', () => {
    expect(ask(Routes, 'open')).toBe(true);
  });

  it('opens a route to a key that has its scope', () => {
    expect(ask(Routes, 'listKeys', admin)).toBe(true);
  });

  it('names the scope that a key lacks', () => {
    expect(ask(Routes, 'listKeys', ['completions:create'])).toMatchObject({
      code: 'permission_denied',
      details: { required_scope: 'keys:read' },
    });
  });

  it('closes a scoped route when nobody was verified', () => {
    expect(ask(Routes, 'listKeys')).toMatchObject({ code: 'permission_denied' });
  });

  it('reads what a controller declares for all its routes, and lets one route say otherwise', () => {
    expect(ask(ClosedRoutes, 'inherits', [])).toMatchObject({ code: 'permission_denied' });
    expect(ask(ClosedRoutes, 'open')).toBe(true);
  });
});
