import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ERROR_TABLE } from '@app/common';
import packageJson from '../../../package.json' with { type: 'json' };

const DESCRIPTION =
  'Claude Code over HTTP: completions and agentic tasks for many projects, each with its own keys, limits and budgets. ' +
  'Authenticate with `Authorization: Bearer cc_sk_…` or `x-api-key`. Every failure has the same envelope, and every ' +
  'answer an `x-request-id`.\n\nCompletions and tasks also go over one WebSocket, `/v1/stream`: [try it](/docs/try).';

/** Swagger UI at /docs (and /docs/), the document at /openapi.json; made when it is first asked for. */
export function serveDocs(app: NestExpressApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Claude Code API Service',
    swaggerOptions: { persistAuthorization: false, displayRequestDuration: true },
  });
}

/** The document of every mounted route. The same for every run: it names no host, port or time. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Claude Code API Service')
    .setDescription(DESCRIPTION)
    .setVersion(packageJson.version)
    .addServer('/', 'this server')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'cc_sk_…' }, 'bearer')
    .addApiKey({ type: 'apiKey', name: 'x-api-key', in: 'header' }, 'api-key')
    .build();
  return withErrors(SwaggerModule.createDocument(app, config));
}

/** Every operation can fail, and always in the same shape. */
function withErrors(document: OpenAPIObject): OpenAPIObject {
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Error: ERROR_SCHEMA },
    responses: {
      Error: {
        description: 'Any failure. `error.type` groups, `error.code` tells.',
        headers: { 'x-request-id': { schema: { type: 'string' } } },
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
  for (const path of Object.values(document.paths)) {
    for (const operation of [path.get, path.post, path.put, path.patch, path.delete]) {
      if (operation)
        operation.responses = { ...operation.responses, default: { $ref: '#/components/responses/Error' } };
    }
  }
  return document;
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['type', 'error', 'request_id'],
  properties: {
    type: { type: 'string', enum: ['error'] },
    error: {
      type: 'object',
      required: ['type', 'code', 'message', 'param', 'details'],
      properties: {
        type: { type: 'string', enum: [...new Set(Object.values(ERROR_TABLE).map(({ type }) => type))] },
        code: { type: 'string', enum: Object.keys(ERROR_TABLE) },
        message: { type: 'string', description: 'What happened and what to do.' },
        param: { type: 'string', nullable: true, description: 'The field at fault, as a dotted path.' },
        details: { type: 'object', additionalProperties: true },
      },
    },
    request_id: { type: 'string', example: 'req_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' },
  },
};
