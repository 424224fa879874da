import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Principal } from './principal.js';

/** What the guards and the request-id middleware leave on an HTTP request. */
export interface RequestContext {
  id: string;
  principal?: Principal;
}

/** A WebSocket as the guards see it. `verify`: reads its key's Principal anew; absent before it has shown a key. */
export interface SocketContext {
  principal?: Principal;
  verify?: () => Promise<Principal>;
}

/** Who asks, once the guards have said so: of an HTTP request, or of the socket that a frame came by. */
export function principalIn(context: ExecutionContext): Principal | undefined {
  return context.getType() === 'ws'
    ? context.switchToWs().getClient<SocketContext>().principal
    : context.switchToHttp().getRequest<RequestContext>().principal;
}

/** The verified caller of a route or frame that has `@Requires`. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const principal = principalIn(context);
  if (!principal) throw new Error('no principal on the request: the route lacks @Requires');
  return principal;
});
