import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Principal } from './principal.js';

/** What the guards and the request-id middleware leave on an HTTP request. */
export interface RequestContext {
  id: string;
  principal?: Principal;
}

/** The verified caller of a route that has `@Requires`. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<RequestContext>();
  if (!principal) throw new Error('no principal on the request: the route lacks @Requires');
  return principal;
});
