import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from './principal.js';

export const ACCESS_METADATA = 'claude-api:access';
export type Access = { public: true } | { requires: Scope };

/** The route needs this scope. The guard reads it and Swagger shows it; a route with neither answers 403. */
export const Requires = (scope: Scope) =>
  applyDecorators(
    SetMetadata<string, Access>(ACCESS_METADATA, { requires: scope }),
    ApiBearerAuth('bearer'),
    ApiSecurity('api-key'),
    ApiExtension('x-requires', scope),
  );

/** The route answers anybody. */
export const Public = () => SetMetadata<string, Access>(ACCESS_METADATA, { public: true });
