// Writes docs/openapi.json from the built service (npm run openapi). test/house/openapi.spec.ts fails when it is stale.
import { writeFileSync } from 'node:fs';
import { describeApi } from '../dist/apps/api/src/describe-api.js';

const document = await describeApi();
writeFileSync(new URL('../docs/openapi.json', import.meta.url), `${JSON.stringify(document, null, 2)}\n`);
