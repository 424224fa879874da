import { AuditProcess } from '../../../test/support/audit-process.js';
import { AuditRetention } from './audit-retention.service.js';
import { ChainReader } from './chain/chain-reader.js';

const MONTH = 31;

describe('the retention of the audit', () => {
  let here: AuditProcess;

  beforeEach(async () => {
    here = await AuditProcess.start();
  });
  afterEach(() => here.stop());

  const retention = () => here.app.get(AuditRetention);
  const verify = (project = 'my-app') => here.app.get(ChainReader).verify(project);
  const partitions = async () =>
    (
      await here.intruder.query(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_events'::regclass",
      )
    ).rows.map(({ name }) => name);
  async function monthLater(): Promise<void> {
    here.clock.move(MONTH);
    await retention().makeAhead();
  }

  it('drops the months that are older than 400 days, and what is left is still proven', async () => {
    await here.append(3, { project: 'quiet' });
    for (let month = 0; month < 16; month++) {
      await here.append(10);
      await monthLater();
    }
    await retention().dropOld();

    const all = await verify();
    expect(all).toMatchObject({ ok: true, to: 160 });
    expect(all.events).toBeLessThan(160);
    expect(all.from).toBe(161 - all.events);
    expect(await verify('quiet')).toMatchObject({ ok: true, events: 0, from: 4 });
    expect(await partitions()).not.toContain('audit_events_first');
    await here.append(1, { project: 'quiet' });
    await retention().dropOld();
    expect(await verify('quiet')).toMatchObject({ ok: true, events: 1, from: 4, to: 4 });

    await here.tamper(`DELETE FROM audit_events WHERE project = 'my-app' AND seq = ${all.from}`);
    expect(await verify()).toMatchObject({ ok: false, fault: { seq: all.from, flaw: 'missing' } });
    await here.tamper("DELETE FROM audit_checkpoints WHERE reason = 'retention'");
    expect(await verify('quiet')).toMatchObject({ ok: false, fault: { seq: 1, flaw: 'missing' } });
  });

  it('keeps nothing longer because of a process whose clock is behind', async () => {
    for (let month = 0; month < 15; month++) {
      await here.append(2);
      here.clock.move(-40);
      await here.append(1);
      here.clock.move(40);
      await monthLater();
    }
    await retention().dropOld();
    await retention().dropOld();
    expect(await verify()).toMatchObject({ ok: true, to: 45 });
    expect((await verify()).events).toBeLessThan(45);
  });

  it('keeps a month in which something was changed', async () => {
    await here.append(5);
    await here.tamper("UPDATE audit_events SET outcome = 'denied' WHERE seq = 3");
    here.clock.move(500);
    await retention().makeAhead();
    await here.append(1, { project: 'other' });
    await retention().dropOld();

    expect(await partitions()).toContain('audit_events_first');
    expect(await verify()).toMatchObject({ ok: false, fault: { seq: 3, flaw: 'edited' } });
  });

  it('guards new months like the first', async () => {
    await monthLater();
    await here.append(1);
    const { rows } = await here.intruder.query(
      'SELECT DISTINCT tableoid::regclass::text AS name FROM audit_events',
    );
    expect(rows[0].name).toMatch(/^audit_events_2\d{5}$/);
    for (const verb of [
      `UPDATE ${rows[0].name} SET seq = 9`,
      `DELETE FROM ${rows[0].name}`,
      `TRUNCATE ${rows[0].name}`,
    ]) {
      await expect(here.intruder.query(verb)).rejects.toThrow('is append-only');
    }
    for (const verb of [
      'UPDATE audit_checkpoints SET seq = 9',
      'DELETE FROM audit_checkpoints',
      'TRUNCATE audit_checkpoints',
    ]) {
      await expect(here.intruder.query(verb)).rejects.toThrow('is append-only');
    }
  });
});
