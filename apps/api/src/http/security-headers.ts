import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';

const forAnswers = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
});

/** Swagger UI: its own scripts, inline styles and data images, requests to this origin and no other. */
const forDocs = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
});

/** The page to try the socket with: files of this origin, and no text of the service can become markup or script. */
const forTryPage = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
      requireTrustedTypesFor: ["'script'"],
      trustedTypes: ["'none'"],
    },
  },
});

/** The usual protective headers; answers may load nothing at all, the docs pages only what they are made of. */
export function securityHeaders(request: Request, response: Response, next: NextFunction): void {
  policyOf(request.path)(request, response, next);
}

function policyOf(path: string) {
  const isIn = (folder: string) => path === folder || path.startsWith(`${folder}/`);
  if (isIn('/docs/try')) return forTryPage;
  return isIn('/docs') ? forDocs : forAnswers;
}
