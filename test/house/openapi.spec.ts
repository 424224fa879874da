import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import { describeApi } from '../../apps/api/src/describe-api.js';

const KEPT = join(import.meta.dirname, '../../docs/openapi.json');

describe('the OpenAPI document', () => {
  let document: OpenAPIObject;

  beforeAll(async () => {
    document = await describeApi();
  });

  it('is kept in docs/openapi.json as the code has it; if not: npm run openapi', () => {
    const kept: unknown = existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : 'missing';
    expect(kept).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('gives every operation a summary, an answer with a schema, the error, and who may call it', () => {
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        expect({ path, method, operation }).toMatchObject({
          operation: {
            summary: expect.stringMatching(/./),
            responses: { default: { $ref: '#/components/responses/Error' } },
          },
        });
        const answers = Object.entries<any>(operation.responses).filter(([status]) => status.startsWith('2'));
        expect([path, method, answers]).toEqual([
          path,
          method,
          [[expect.anything(), expect.objectContaining({ content: expect.anything() })]],
        ]);
        const isPublic = ['/health', '/ready'].includes(path);
        expect([path, method, operation.security]).toEqual([
          path,
          method,
          isPublic ? undefined : [{ bearer: [] }, { 'api-key': [] }],
        ]);
      }
    }
  });

  it('refers only to what it has', () => {
    const text = JSON.stringify(document);
    for (const [, reference] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = reference!.split('/').reduce<any>((node, step) => node?.[step], document);
      expect([reference, target]).toEqual([reference, expect.anything()]);
    }
  });

  it('names no host: clients take the one they got it from', () => {
    expect(document.servers).toEqual([{ url: '/', description: 'this server' }]);
  });
});
