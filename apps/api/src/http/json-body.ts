import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import { AppError } from '@app/common';
import { jsonObject } from './json-object.js';

const MAX_BODY_BYTES = 10 * 1024 * 1024;

/**
 * Reads the body as strict JSON, after the guards: who may not ask is refused before a byte of it is read.
 * Guarantees that `request.body` is an object made of well-formed UTF-8 JSON within the limits, or undefined
 * when none was sent. Anything but `application/json` (plain or gzip) is refused.
 */
@Injectable()
export class JsonBody implements NestInterceptor {
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() === 'http') {
      const request = context.switchToHttp().getRequest<Request>();
      request.body = await readBody(request, context.switchToHttp().getResponse<Response>());
    }
    return next.handle();
  }
}

async function readBody(request: Request, response: Response): Promise<object | undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced === 0 && request.headers['transfer-encoding'] === undefined) return undefined;
  if (announced > MAX_BODY_BYTES) throw tooLarge();
  refuseOtherTypes(request);
  const zipped = isZipped(request);
  if (request.headers.expect) response.writeContinue();
  const bytes = await collect(request, zipped);
  return bytes.length === 0 ? undefined : jsonObject('the body', decode(bytes));
}

function refuseOtherTypes(request: Request): void {
  const [type, ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  if (type?.trim() !== 'application/json') {
    throw new AppError(
      'unsupported_media_type',
      'the body must be JSON: send content-type: application/json',
    );
  }
  const charsets = parameters.map((parameter) => /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/.exec(parameter)?.[1]);
  if (charsets.some((charset) => charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')) {
    throw new AppError('unsupported_media_type', 'the body must be UTF-8');
  }
}

function isZipped(request: Request): boolean {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'gzip' || encoding === 'identity') return encoding === 'gzip';
  throw new AppError('unsupported_media_type', 'content-encoding can be gzip or identity');
}

/**
 * Counts what is kept, so for gzip the inflated size, and stops at the first byte too many. After a refusal the
 * rest is read and thrown away: closing on a client that still sends would lose the answer. Node's request
 * timeout bounds that.
 */
function collect(request: Request, zipped: boolean): Promise<Buffer> {
  const source: Readable = zipped ? request.pipe(createGunzip()) : request;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = (error: AppError) => {
      request.unpipe();
      if (source !== request) source.destroy();
      source.removeAllListeners('data');
      request.resume();
      reject(error);
    };
    const damaged = (cause: Error) =>
      refuse(new AppError('invalid_request', 'the body is damaged or incomplete', { cause }));
    source.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) refuse(tooLarge());
      else chunks.push(chunk);
    });
    source.on('end', () => resolve(Buffer.concat(chunks)));
    source.on('error', damaged);
    if (source !== request) request.on('error', damaged);
  });
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_json', 'the body is not well-formed UTF-8');
  }
}

const tooLarge = () =>
  new AppError('request_too_large', `the body is limited to ${MAX_BODY_BYTES} bytes (10 MiB), unzipped`);
