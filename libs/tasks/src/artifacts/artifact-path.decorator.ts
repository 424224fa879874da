import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** The rest of the address as one path, percent-decoded once. Express gives it step by step. */
export const ArtifactPath = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const { path } = context.switchToHttp().getRequest<Request>().params;
  return Array.isArray(path) ? path.join('/') : String(path);
});
