import pg from 'pg';
import { DataSource } from 'typeorm';
import { migrate } from '@app/database';
import { ChainReader, Checkpoints } from '@app/audit';
import { MIGRATIONS } from '../../libs/database/src/migrations/index.js';
import { CHAIN_START, ChainKey } from '../../libs/audit/src/chain/audit-record.js';
import { auditEvent, AUDIT_KEY, AuditProcess } from '../support/audit-process.js';
import { createTestDatabase } from '../support/test-database.js';

describe('the tables of the audit', () => {
  const undo: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  });

  async function connect(url: string): Promise<pg.Client> {
    const client = new pg.Client(url);
    await client.connect();
    undo.push(() => client.end());
    return client;
  }

  /** Takes back the newest migrations, down to this one. */
  async function takeBack(url: string, name: string): Promise<void> {
    const source = new DataSource({
      type: 'postgres',
      url,
      migrations: MIGRATIONS,
      migrationsTableName: 'migrations',
      installExtensions: false,
    });
    await source.initialize();
    for (let undone = ''; undone !== name;) {
      const [newest] = await source.query('SELECT name FROM migrations ORDER BY timestamp DESC LIMIT 1');
      await source.undoLastMigration();
      undone = newest.name;
    }
    await source.destroy();
  }

  it('become partitioned with the events that were there, and whole again', async () => {
    const database = await createTestDatabase();
    undo.push(() => database.drop());
    await takeBack(database.url, 'audit-0000000008000');
    const client = await connect(database.url);
    const key = new ChainKey(AUDIT_KEY);
    const first = key.link(CHAIN_START, auditEvent('key_1'), new Date('2026-01-31T23:00:00.123Z'));
    const second = key.link(first, auditEvent('key_2'), new Date());
    for (const { project, seq, at, type, actor, target, outcome, prev, mac, macKeyId } of [first, second]) {
      await client.query(
        `INSERT INTO audit_events (project, seq, at, type, actor, target, outcome, prev, mac, mac_key_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [project, seq, at, type, actor, target, outcome, prev, mac, macKeyId],
      );
    }
    await client.query('INSERT INTO audit_heads (project, seq, mac) VALUES ($1, 2, $2)', [
      'my-app',
      second.mac,
    ]);

    await migrate(database.url);

    const here = await AuditProcess.startOn(database.url);
    undo.push(() => here.stop());
    await here.append(2);
    expect(await here.app.get(ChainReader).verify('my-app')).toMatchObject({ ok: true, events: 4 });
    await expect(client.query('DELETE FROM audit_events')).rejects.toThrow('append-only');

    await takeBack(database.url, 'audit-0000000008000');
    expect((await client.query('SELECT seq FROM audit_events ORDER BY seq')).rows).toHaveLength(4);
    await expect(client.query('DELETE FROM audit_events')).rejects.toThrow('append-only');
    await migrate(database.url);
    expect(await here.app.get(ChainReader).verify('my-app')).toMatchObject({ ok: true, events: 4 });
  });

  it('can only be added to by a login that is no superuser, though it made them', async () => {
    const whole = await createTestDatabase();
    undo.push(() => whole.drop());
    const admin = await connect(whole.url);
    const login = `login_${process.pid}`;
    await admin.query(`CREATE ROLE ${login} LOGIN PASSWORD 'p'`);
    undo.push(() => admin.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`));
    await admin.query(`CREATE DATABASE ${login} OWNER ${login}`);
    undo.push(() => admin.query(`DROP DATABASE ${login} WITH (FORCE)`));
    const url = Object.assign(new URL(whole.url), {
      username: login,
      password: 'p',
      pathname: `/${login}`,
    }).href;
    await migrate(url);

    const here = await AuditProcess.startOn(url);
    undo.push(() => here.stop());
    await here.append(3);
    await here.app.get(Checkpoints).sign('my-app');
    expect(await here.app.get(ChainReader).verify('my-app')).toMatchObject({ ok: true, signed: { seq: 3 } });

    const owner = await connect(url);
    const { rows } = await owner.query(
      "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ '^audit_(events|checkpoints)'",
    );
    expect(rows.length).toBeGreaterThan(5);
    for (const { relname } of rows) {
      await owner.query(`ALTER TABLE ${relname} DISABLE TRIGGER ALL`).catch(() => undefined);
      await owner.query(`ALTER TABLE ${relname} DISABLE TRIGGER USER`);
      for (const verb of [`UPDATE ${relname} SET seq = 1`, `DELETE FROM ${relname}`, `TRUNCATE ${relname}`]) {
        await expect(owner.query(verb)).rejects.toThrow(`permission denied for table ${relname}`);
      }
    }
  });
});
