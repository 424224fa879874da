import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AuditExport, Checkpoints } from '@app/audit';
import { operatorPrincipal } from '@app/auth';
import { insertChain } from '../support/audit-chain.js';
import { AUDIT_KEY, auditEvent, AuditProcess } from '../support/audit-process.js';
import { cleanEnvironment, runCli } from '../support/server-process.js';
import { percentiles } from './percentiles.js';
import { report } from './report.js';

const EVENTS = 100_000;
const APPENDS = 2_000;

/** The audit on one machine with its database. */
describe('the audit', () => {
  let here: AuditProcess;

  beforeAll(async () => {
    here = await AuditProcess.start();
    await insertChain(here.databaseUrl, 'bench', EVENTS);
  }, 120_000);
  afterAll(() => here?.stop());

  /** In a process of its own: Jest makes code in this one several times slower. */
  it(`verifies a chain of ${EVENTS} events in the database, and in a file`, async () => {
    const env = cleanEnvironment(here.home, { DATABASE_URL: here.databaseUrl, AUDIT_KEY });
    const file = join(here.home, 'audit.jsonl');
    await here.app.get(Checkpoints).sign('bench');
    const inDatabase = JSON.parse((await runCli(env, ['audit', 'verify', '--json'])).stdout);
    const writing = createWriteStream(file);
    const pieces = await here.app
      .get(AuditExport)
      .start(operatorPrincipal(), { project: 'bench', format: 'jsonl' });
    await pipeline(pieces, writing);
    const inFile = JSON.parse((await runCli(env, ['audit', 'verify', file, '--json'])).stdout);
    report({
      ...{ bench: 'audit verify', events: EVENTS },
      ...{ database_ms: inDatabase.elapsed_ms, file_ms: inFile.elapsed_ms },
    });
    expect(inDatabase).toMatchObject({ ok: true, chains: [{ events: EVENTS, signed_seq: EVENTS }] });
    expect(inFile).toMatchObject({ ok: true, chains: [{ events: EVENTS + 1 }] });
    expect(inDatabase.elapsed_ms).toBeLessThan(2_000);
  }, 120_000);

  it('appends', async () => {
    const samples: number[] = [];
    for (let n = 0; n < APPENDS; n++) {
      samples.push((await timed(() => here.log.append(auditEvent(`key_${n}`, { project: 'one' })))).ms);
    }
    const many = await timed(() =>
      Promise.all(
        Array.from({ length: 16 }, async (_, client) => {
          for (let n = 0; n < APPENDS / 16; n++) {
            await here.log.append(auditEvent(`key_${n}`, { project: `many-${client}` }));
          }
        }),
      ),
    );
    report({ bench: 'audit append', one: percentiles(samples), per_second_16: APPENDS / (many.ms / 1000) });
  }, 60_000);
});

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const startedAt = performance.now();
  const result = await work();
  return { result, ms: performance.now() - startedAt };
}
