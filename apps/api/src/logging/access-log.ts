import { Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { RequestContext } from '@app/common';

const PROBES = new Set(['/health', '/ready']);

/**
 * One line for each request when its answer has ended or was given up: who, which route, how it went, how long
 * it took. The route is the template, never the address: addresses hold ids, and query strings hold mistakes.
 */
export class AccessLog {
  private readonly logger = new Logger('http');

  watch(request: Request & RequestContext, response: Response): void {
    const startedAt = performance.now();
    response.once('close', () => {
      const route = (request.route as { path?: string } | undefined)?.path;
      const line = {
        msg: response.writableFinished ? 'request' : 'request given up',
        request_id: request.id,
        method: request.method,
        route: route ?? null,
        status: response.statusCode,
        ms: Math.round((performance.now() - startedAt) * 10) / 10,
        project: request.principal?.project,
        key: request.principal?.keyId,
      };
      if (route !== undefined && PROBES.has(route)) this.logger.debug(line);
      else this.logger.log(line);
    });
  }
}
