import { Transactions } from '@app/database';
import { auditEvent, AuditProcess } from '../../../test/support/audit-process.js';
import { ChainReader } from './chain/chain-reader.js';

describe('the audit log', () => {
  let here: AuditProcess;

  beforeEach(async () => {
    here = await AuditProcess.start();
  });
  afterEach(() => here.stop());

  const verify = (project = 'my-app') => here.app.get(ChainReader).verify(project);

  it('chains parallel appends of two processes without a gap, each project for itself', async () => {
    const other = await here.another();
    const logs = [here.log, other.get(here.log.constructor)];
    const events = Array.from({ length: 80 }, (_, n) =>
      logs[n % 2].append(auditEvent(`key_${n}`, { project: n % 4 < 2 ? 'my-app' : 'other' })),
    );

    await Promise.all(events);

    await other.close();
    expect(await verify()).toMatchObject({ ok: true, events: 40, from: 1, to: 40 });
    expect(await verify('other')).toMatchObject({ ok: true, events: 40 });
    expect(await verify('unheard-of')).toMatchObject({ ok: true, events: 0 });
  });

  it('reads back every kind of value as it was chained', async () => {
    const diff = {
      zeta: 1.5e300,
      alpha: [null, -0, 0.1, 1e21, { 'ключ 🔑': 'naïve' }],
      nano: 9_007_199_254_740_993n,
      skipped: undefined,
      text: 'nul \0, half \ud800, line\nend',
      at: new Date(0),
    };

    await here.log.append(auditEvent('key_1', { diff, requestId: 'req_1' }));

    expect(await verify()).toMatchObject({ ok: true, events: 1 });
  });

  it('undoes an event together with the change that it tells of', async () => {
    const change = here.app.get(Transactions).run(async () => {
      await here.log.append(auditEvent('key_1'));
      throw new Error('the change failed');
    });

    await expect(change).rejects.toThrow('the change failed');
    expect(await verify()).toMatchObject({ ok: true, events: 0 });
  });

  it('keeps the times of a chain in order, though the clocks of two processes differ', async () => {
    here.clock.move(1);
    await here.append(1);
    here.clock.move(-1);
    await here.append(1);

    const { rows } = await here.intruder.query('SELECT at FROM audit_events ORDER BY seq');
    expect(rows[1].at).toEqual(rows[0].at);
    expect(await verify()).toMatchObject({ ok: true, events: 2 });
  });

  it.each(['audit_events', 'audit_events_first'])(
    'refuses to change %s, even for a superuser who pretends to be a replica',
    async (table) => {
      await here.append(1);
      await here.intruder.query("SET session_replication_role = 'replica'");

      for (const sql of [
        `UPDATE ${table} SET outcome = 'denied'`,
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
      ]) {
        await expect(here.intruder.query(sql)).rejects.toThrow('append-only');
      }
    },
  );

  it('never stores a key of ours or of Anthropic', async () => {
    const secrets = ['cc_sk_abcdefghijkl_0123456789', 'cc_ak_abcdefghijkl_0123456789', 'sk-ant-api03-x_y-z'];

    for (const secret of secrets) {
      await here.log.append(
        auditEvent(`<${secret}>`, { diff: { [secret]: [`Bearer ${secret}`] }, requestId: secret }),
      );
    }

    const { rows } = await here.intruder.query('SELECT * FROM audit_events');
    const stored = JSON.stringify(rows);
    for (const secret of secrets) expect(stored).not.toContain(secret);
    expect(stored).toContain('Bearer [redacted]');
  });
});
