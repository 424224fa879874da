import { AuditProcess } from '../../../../test/support/audit-process.js';
import { ChainReader } from './chain-reader.js';
import { Checkpoints } from './checkpoints.service.js';

const COLUMNS = 'at, type, actor, target, outcome, diff, request_id, prev, mac, mac_key_id';

describe('verifying a chain that somebody who owns the database tampered with', () => {
  let here: AuditProcess;

  beforeEach(async () => {
    here = await AuditProcess.start();
  });
  afterEach(() => here.stop());

  const verify = (project = 'my-app') => here.app.get(ChainReader).verify(project);
  const sign = (project = 'my-app') => here.app.get(Checkpoints).sign(project);
  const fault = (seq: number, flaw: string) => ({ ok: false, fault: { seq, flaw } });

  it.each([
    ['an edited event', "UPDATE audit_events SET outcome = 'denied' WHERE seq = 3", 3, 'edited'],
    ['a moved time', "UPDATE audit_events SET at = at + interval '1 ms' WHERE seq = 3", 3, 'edited'],
    ['a time moved by less', "UPDATE audit_events SET at = at + interval '1 us' WHERE seq = 3", 3, 'edited'],
    ['a removed event', 'DELETE FROM audit_events WHERE seq = 2', 2, 'missing'],
    ['a removed beginning', 'DELETE FROM audit_events WHERE seq <= 2', 1, 'missing'],
    ['a cut-off end', 'DELETE FROM audit_events WHERE seq >= 4', 4, 'missing'],
    ['a removed head', 'DELETE FROM audit_heads', 1, 'unlinked'],
    ['a head put back', 'UPDATE audit_heads SET seq = 4', 5, 'unlinked'],
    ['a head with another link', 'UPDATE audit_heads SET mac = sha256(mac)', 5, 'unlinked'],
    [
      'swapped events',
      `UPDATE audit_events SET seq = -seq WHERE seq IN (2, 3);
       UPDATE audit_events SET seq = 5 + seq WHERE seq < 0`,
      2,
      'edited',
    ],
    [
      'a forged event at the end',
      `INSERT INTO audit_events SELECT project, 6, ${COLUMNS.replace('prev, mac', 'mac, sha256(mac)')}
         FROM audit_events WHERE seq = 5;
       UPDATE audit_heads SET seq = 6, mac = sha256(mac)`,
      6,
      'edited',
    ],
    [
      'an event put in twice',
      `INSERT INTO audit_events SELECT project, seq, ${COLUMNS.replace('at', "at + interval '1 s'")}
         FROM audit_events WHERE seq = 3`,
      3,
      'inserted',
    ],
    [
      'an event put in before the first',
      `INSERT INTO audit_events SELECT project, 0, ${COLUMNS} FROM audit_events WHERE seq = 3`,
      0,
      'inserted',
    ],
    [
      'an event moved in from another project',
      `DELETE FROM audit_events WHERE project = 'my-app' AND seq = 3;
       UPDATE audit_events SET project = 'my-app' WHERE project = 'other' AND seq = 3`,
      3,
      'edited',
    ],
  ])('finds %s', async (_, sql, seq, flaw) => {
    await here.append(5);
    await here.append(5, { project: 'other' });

    await here.tamper(sql);

    expect(await verify()).toMatchObject(fault(seq, flaw));
  });

  it('finds the gap that a moved event left in its own project', async () => {
    await here.append(5);
    await here.append(5, { project: 'other' });
    await here.tamper(
      "UPDATE audit_events SET project = 'my-app', seq = 6 WHERE project = 'other' AND seq = 3",
    );

    expect(await verify('other')).toMatchObject(fault(3, 'missing'));
    expect(await verify('my-app')).toMatchObject(fault(6, 'unlinked'));
  });

  const CUT = `DELETE FROM audit_events WHERE seq > 3;
    UPDATE audit_heads SET seq = 3, mac = (SELECT mac FROM audit_events WHERE seq = 3)`;

  it('finds a cut-off end whose head was set back, by the checkpoint', async () => {
    await here.append(5);
    await sign();
    await here.tamper(CUT);

    expect(await verify()).toMatchObject(fault(4, 'cut_off'));
  });

  it('finds the same once new events have taken the numbers of those that were cut off', async () => {
    await here.append(5);
    await sign();
    await here.tamper(CUT);
    await here.append(4);

    expect(await verify()).toMatchObject({ ok: false, fault: { seq: 5, flaw: 'not_as_signed', after: 0 } });
  });

  it('does not take a checkpoint that was not signed with the key', async () => {
    await here.append(5);
    await sign();
    await here.tamper('UPDATE audit_checkpoints SET seq = 4');

    expect(await verify()).toMatchObject(fault(4, 'bad_signature'));
  });

  it('does not take a signed head for the place where retention ended', async () => {
    await here.append(5);
    await sign();
    await here.tamper(
      "DELETE FROM audit_events WHERE seq <= 5; UPDATE audit_checkpoints SET reason = 'retention'",
    );

    expect(await verify()).toMatchObject(fault(1, 'missing'));
  });

  it('says when a record was chained with another key', async () => {
    await here.append(1);
    const other = await here.another({ AUDIT_KEY: 'x'.repeat(32) });

    const verdict = await other.get(ChainReader).verify('my-app');

    await other.close();
    expect(verdict).toMatchObject(fault(1, 'other_key'));
  });

  it('is content with a chain of several pages that was signed at many places', async () => {
    for (const count of [1, 2_000, 50]) {
      await here.append(count);
      expect(await sign()).toMatchObject({ project: 'my-app', reason: 'head' });
    }
    await here.append(3);

    expect(await verify()).toMatchObject({ ok: true, events: 2_054, to: 2_054, signed: { seq: 2_051 } });
  });

  it('signs nothing twice, and nothing that is not as it was written', async () => {
    await here.append(5);
    await sign();
    await sign();
    await here.append(2);
    await here.tamper("UPDATE audit_events SET outcome = 'denied' WHERE seq = 6");
    expect(await sign()).toBeUndefined();

    expect((await here.intruder.query('SELECT seq FROM audit_checkpoints')).rows).toEqual([{ seq: '5' }]);
  });

  it('signs by itself every thousand events, and every day', async () => {
    await here.append(1_000);
    await here.append(1, { project: 'quiet' });
    const checkpoints = here.app.get(Checkpoints);
    await checkpoints.signDue();
    await here.append(1);
    await here.append(1, { project: 'quiet' });
    await checkpoints.signDue();
    here.clock.move(1.1);
    await checkpoints.signDue();

    const { rows } = await here.intruder.query('SELECT project, seq FROM audit_checkpoints ORDER BY 1, 2');
    expect(rows).toEqual([
      { project: 'my-app', seq: '1000' },
      { project: 'my-app', seq: '1001' },
      { project: 'quiet', seq: '1' },
      { project: 'quiet', seq: '2' },
    ]);
  });
});
