import pg from 'pg';
import { Transactions } from '@app/database';
import { auditEvent, AuditProcess } from '../../../test/support/audit-process.js';
import type { AuditedChange } from './audited-change.js';
import { ChainReader } from './chain/chain-reader.js';

/** Adds to a number, and answers with what it is then. */
const adding = (n: number, events: string | number = 1): AuditedChange => ({
  ...{ call: 'add_to_sum($1)', values: [n], events: String(events) },
});

describe('a change that is made together with its event', () => {
  let here: AuditProcess;

  beforeEach(async () => {
    here = await AuditProcess.start();
    await here.intruder.query(`
      CREATE TABLE sums (n integer NOT NULL);
      INSERT INTO sums VALUES (0);
      CREATE FUNCTION add_to_sum(p_n integer) RETURNS jsonb LANGUAGE plpgsql AS $$
        DECLARE sum integer;
        BEGIN
          UPDATE sums SET n = n + p_n RETURNING n INTO sum;
          RETURN jsonb_build_object('sum', sum);
        END $$`);
  });
  afterEach(() => here.stop());

  const sum = async () => (await here.intruder.query('SELECT n FROM sums')).rows[0].n as number;
  const verify = () => here.app.get(ChainReader).verify('my-app');

  it('takes one round trip, as long as nobody else appends to the chain', async () => {
    await here.append(1);
    const sent = jest.spyOn(pg.Client.prototype, 'query');
    try {
      expect(await here.log.record(auditEvent('key_1'), adding(2))).toEqual({ sum: 2 });
      expect(sent).toHaveBeenCalledTimes(1);
      await Promise.all([3, 4, 5].map((n) => here.log.record(auditEvent('key_1'), adding(n))));
      expect(sent).toHaveBeenCalledTimes(4);
      await here.log.append(auditEvent('key_1'));
      expect(sent).toHaveBeenCalledTimes(5);
    } finally {
      sent.mockRestore();
    }
    expect(await sum()).toBe(14);
    expect(await verify()).toMatchObject({ ok: true, events: 6 });
  });

  it('is made once and told once, whoever else appends to the chain at that moment', async () => {
    const other = await here.another();
    const logs = [here.log, other.get(here.log.constructor)];
    const changes = Array.from({ length: 100 }, (_, n) =>
      n % 5 === 0
        ? logs[n % 2].append(auditEvent(`key_${n}`))
        : logs[n % 2].record(auditEvent(`key_${n}`), adding(1)),
    );

    await Promise.all(changes);

    await other.close();
    expect(await sum()).toBe(80);
    expect(await verify()).toMatchObject({ ok: true, events: 100 });
  });

  it('is not told of when it came to nothing', async () => {
    await here.append(1);

    expect(await here.log.record(auditEvent('key_1'), adding(0, `(said->>'sum')::int`))).toEqual({ sum: 0 });

    expect(await verify()).toMatchObject({ ok: true, events: 1 });
  });

  it('is made with all that tells of it, or not at all', async () => {
    await here.append(1);
    const told: unknown[] = [];
    const tell = async (said: unknown) => {
      told.push(said);
      await here.log.append(auditEvent('key_2'));
    };

    await here.log.record(auditEvent('key_1'), adding(1, 2), tell);
    const failing = here.log.record(auditEvent('key_1'), adding(1, 2), async (said) => {
      await tell(said);
      throw new Error('there is more to tell than can be told');
    });

    await expect(failing).rejects.toThrow('more to tell');
    expect(told).toEqual([{ sum: 1 }, { sum: 2 }]);
    expect(await sum()).toBe(1);
    expect(await verify()).toMatchObject({ ok: true, events: 3 });
    await here.log.record(auditEvent('key_1'), adding(1));
    expect(await verify()).toMatchObject({ ok: true, events: 4 });
  });

  it('belongs to the transaction that is open, and is undone with it', async () => {
    await here.append(1);
    const work = here.app.get(Transactions).run(async () => {
      await here.log.record(auditEvent('key_1'), adding(1));
      throw new Error('the rest failed');
    });

    await expect(work).rejects.toThrow('the rest failed');
    expect(await sum()).toBe(0);
    await here.log.record(auditEvent('key_1'), adding(1));
    expect(await verify()).toMatchObject({ ok: true, events: 2 });
  });

  it('says what the database refuses, and leaves nothing behind', async () => {
    await here.append(1);

    await expect(here.log.record(auditEvent('key_1'), adding(2 ** 40))).rejects.toThrow('out of range');

    expect(await verify()).toMatchObject({ ok: true, events: 1 });
    await here.log.record(auditEvent('key_1'), adding(1));
    expect(await verify()).toMatchObject({ ok: true, events: 2 });
  });
});
