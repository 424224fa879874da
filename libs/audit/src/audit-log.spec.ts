import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import pg from 'pg';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule, Transactions } from '@app/database';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import type { AuditEvent } from './audit-event.js';
import { AuditLog } from './audit-log.service.js';
import { AuditModule } from './audit.module.js';

describe('the audit log', () => {
  let home: string;
  let database: TestDatabase;
  let app: TestingModule;
  let audit: AuditLog;
  /** A superuser beside the service: what the chain must hold against. */
  let intruder: pg.Client;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'audit-'));
    database = await createTestDatabase();
    app = await serviceWith({});
    audit = app.get(AuditLog);
    intruder = new pg.Client(database.url);
    await intruder.connect();
  });
  afterEach(async () => {
    await intruder.end();
    await app.close();
    await database.drop();
    await rm(home, { recursive: true });
  });

  async function serviceWith(env: Record<string, string>): Promise<TestingModule> {
    const config = loadConfig({}, { CLAUDE_API_HOME: home, ...env });
    const imports = [CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(database.url), AuditModule];
    return (await Test.createTestingModule({ imports }).compile()).init();
  }

  const event = (target: string, more: Partial<AuditEvent> = {}): AuditEvent => ({
    type: 'key.created',
    project: 'my-app',
    actor: { kind: 'operator', id: 'terminal' },
    target: { kind: 'key', id: target },
    outcome: 'ok',
    ...more,
  });

  async function appendMany(count: number): Promise<void> {
    for (let n = 1; n <= count; n++) await audit.append(event(`key_${n}`));
  }

  async function tamper(sql: string): Promise<void> {
    await intruder.query('ALTER TABLE audit_events DISABLE TRIGGER ALL');
    await intruder.query(sql);
    await intruder.query('ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only');
  }

  it('chains parallel appends without a gap, each project for itself', async () => {
    const projects = Array.from({ length: 40 }, (_, n) => (n % 2 ? 'my-app' : 'other'));

    await Promise.all(projects.map((project, n) => audit.append(event(`key_${n}`, { project }))));

    expect(await audit.verifyChain('my-app')).toEqual({ ok: true, events: 20 });
    expect(await audit.verifyChain('other')).toEqual({ ok: true, events: 20 });
    expect(await audit.verifyChain('unheard-of')).toEqual({ ok: true, events: 0 });
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

    await audit.append(event('key_1', { diff, requestId: 'req_1' }));

    expect(await audit.verifyChain('my-app')).toEqual({ ok: true, events: 1 });
  });

  it('undoes an event together with the change that it tells of', async () => {
    const change = app.get(Transactions).run(async () => {
      await audit.append(event('key_1'));
      throw new Error('the change failed');
    });

    await expect(change).rejects.toThrow('the change failed');
    expect(await audit.verifyChain('my-app')).toEqual({ ok: true, events: 0 });
  });

  it.each([
    "UPDATE audit_events SET outcome = 'denied'",
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
  ])('refuses %s, even from a superuser who pretends to be a replica', async (sql) => {
    await appendMany(1);
    await intruder.query("SET session_replication_role = 'replica'");

    await expect(intruder.query(sql)).rejects.toThrow('append-only');
  });

  it.each([
    ['an edited event', "UPDATE audit_events SET outcome = 'denied' WHERE seq = 3", 3, 'edited'],
    ['an edited time', "UPDATE audit_events SET at = at + interval '1 ms' WHERE seq = 3", 3, 'edited'],
    ['a removed event', 'DELETE FROM audit_events WHERE seq = 2', 2, 'missing'],
    ['a cut-off end', 'DELETE FROM audit_events WHERE seq >= 4', 4, 'missing'],
    ['a removed head', 'DELETE FROM audit_heads', 1, 'unlinked'],
    ['a head put back', 'UPDATE audit_heads SET seq = 4', 5, 'unlinked'],
    [
      'swapped events',
      `UPDATE audit_events SET seq = -seq WHERE seq IN (2, 3);
       UPDATE audit_events SET seq = 5 + seq WHERE seq < 0`,
      2,
      'edited',
    ],
    [
      'a forged event',
      `INSERT INTO audit_events SELECT project, 6, at, type, actor, target, outcome, diff, request_id,
         mac, sha256(mac), mac_key_id FROM audit_events WHERE seq = 5;
       UPDATE audit_heads SET seq = 6, mac = sha256(mac)`,
      6,
      'edited',
    ],
  ])('finds %s', async (_, sql, seq, reason) => {
    await appendMany(5);

    await tamper(sql);

    expect(await audit.verifyChain('my-app')).toEqual({ ok: false, seq, reason });
  });

  it('says when a record was chained with another key', async () => {
    await appendMany(1);
    const other = await serviceWith({ AUDIT_KEY: 'x'.repeat(32) });

    const verdict = await other.get(AuditLog).verifyChain('my-app');

    await other.close();
    expect(verdict).toEqual({ ok: false, seq: 1, reason: 'other_key' });
  });

  it('never stores a key of ours or of Anthropic', async () => {
    const secrets = ['cc_sk_abcdefghijkl_0123456789', 'cc_ak_abcdefghijkl_0123456789', 'sk-ant-api03-x_y-z'];

    for (const secret of secrets) {
      await audit.append(
        event(`<${secret}>`, { diff: { [secret]: [`Bearer ${secret}`] }, requestId: secret }),
      );
    }

    const { rows } = await intruder.query('SELECT * FROM audit_events');
    const stored = JSON.stringify(rows);
    for (const secret of secrets) expect(stored).not.toContain(secret);
    expect(stored).toContain('Bearer [redacted]');
  });
});
