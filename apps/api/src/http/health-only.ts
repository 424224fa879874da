import type { NextFunction, Request, Response } from 'express';
import { AppError } from '@app/common';

const OPEN = new Set(['/health', '/ready']);

/** A worker has no API: its port tells how it stands, to whoever supervises it, and nothing else. */
export function healthOnly(request: Request, _response: Response, next: NextFunction): void {
  next(OPEN.has(request.path) ? undefined : new AppError('not_found', 'this is a worker: it has no API'));
}
