import { availableParallelism, loadavg } from 'node:os';
import { Checkpoints, ChainReader } from '@app/audit';
import { insertChain } from '../support/audit-chain.js';
import { auditEvent, AuditProcess } from '../support/audit-process.js';
import { percentiles } from './percentiles.js';

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

  it(`signs and verifies a chain of ${EVENTS} events`, async () => {
    const signing = await timed(() => here.app.get(Checkpoints).sign('bench'));
    const { result, ms } = await timed(() => here.app.get(ChainReader).verify('bench'));
    report({ bench: 'audit verify', events: EVENTS, sign_ms: signing.ms, verify_ms: ms });
    expect(result).toMatchObject({ ok: true, events: EVENTS, signed: { seq: EVENTS } });
  }, 60_000);

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

function report(result: object): void {
  process.stdout.write(
    `\n${JSON.stringify({ ...result, cores: availableParallelism(), load: loadavg()[0] })}\n`,
  );
}
