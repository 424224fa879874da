import pg from 'pg';
import type { Principal } from '@app/common';
import { operatorPrincipal } from '@app/auth';
import { type AuthProcess, startAuthProcess } from '../support/auth-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const operator = operatorPrincipal();
const REFUSED = { code: 'invalid_api_key' };
const HOUR_S = 3600;

describe('the life of a key', () => {
  let database: TestDatabase;
  let auth: AuthProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    auth = await startAuthProcess(database.url);
  });
  afterAll(async () => {
    await auth?.stop();
    await database?.drop();
  });

  const newKey = (input = {}) => auth.keys.create(operator, { project: 'my-app', ...input });
  const newAdmin = async (project?: string): Promise<Principal> => {
    const { key } = await auth.keys.create(operator, { project, admin: true });
    return auth.verifier.verify(key);
  };

  describe('making one', () => {
    it('makes a free key without an end unless told otherwise', async () => {
      const { kind, tier, status, expiresAt, createdBy } = await newKey();
      expect({ kind, tier, status, expiresAt, createdBy }).toEqual({
        kind: 'inference',
        tier: 'free',
        status: 'active',
        expiresAt: null,
        createdBy: 'operator',
      });
    });

    it('makes an administration key that cannot run a model', async () => {
      const admin = await newAdmin();
      expect(admin.scopes.has('keys:write')).toBe(true);
      expect(admin.scopes.has('completions:create')).toBe(false);
    });

    it.each([
      ['project_id', { project: 'My App' }],
      ['project_id', { project: undefined }],
      ['project_id', { project: `${'a'.repeat(65)}` }],
      ['tier', { tier: 'gold' }],
      ['name', { name: 'x'.repeat(101) }],
      ['name', { name: 'a\0b' }],
      ['expires_in_seconds', { expiresInSeconds: 0 }],
      ['models', { models: ['gpt'] }],
      ['models', { models: [] }],
      ['requests_per_minute', { requestsPerMinute: 1.5 }],
      ['allow_agents', { agents: [''] }],
      ['allow_skills', { skills: Array.from({ length: 201 }, () => 'pdf') }],
    ])('names the field %s that cannot be: %j', async (param, input) => {
      await expect(newKey(input)).rejects.toMatchObject({ code: 'invalid_request', param });
    });
  });

  describe('finding it', () => {
    it('pages from the newest to the oldest without a gap', async () => {
      const made: string[] = [];
      for (let i = 0; i < 5; i++) made.unshift((await newKey({ project: 'paged' })).id);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await auth.keys.list(operator, { project: 'paged', limit: 2, cursor });
        seen.push(...page.data.map(({ id }) => id));
        cursor = page.nextCursor ?? undefined;
      } while (cursor);
      expect(seen).toEqual(made);
    });

    it('knows it by id and by kid', async () => {
      const made = await newKey();
      expect((await auth.keys.show(operator, made.id)).id).toBe(made.id);
      expect((await auth.keys.show(operator, made.currentSecret.kid)).id).toBe(made.id);
    });

    it('does not know it in another project, whatever is asked of it', async () => {
      const [made, stranger] = [await newKey(), await newAdmin('elsewhere')];
      const gone = { code: 'not_found' };
      await expect(auth.keys.show(stranger, made.id)).rejects.toMatchObject(gone);
      await expect(auth.keys.update(stranger, made.id, { name: 'mine' })).rejects.toMatchObject(gone);
      await expect(auth.keys.rotate(stranger, made.id)).rejects.toMatchObject(gone);
      await expect(auth.keys.revoke(stranger, made.id)).rejects.toMatchObject(gone);
      await expect(auth.keys.create(stranger, { project: 'my-app' })).rejects.toMatchObject({
        code: 'permission_denied',
      });
      const { data } = await auth.keys.list(stranger);
      expect(new Set(data.map(({ project }) => project))).toEqual(new Set(['elsewhere']));
    });

    it.each(['nonsense', 'key_\0', `key_${'0'.repeat(32)}`, 'abcdefghijkl', "' OR 1=1 --"])(
      'does not know %j',
      async (ref) => {
        await expect(auth.keys.show(operator, ref)).rejects.toMatchObject({ code: 'not_found' });
      },
    );
  });

  describe('changing it', () => {
    it('takes effect on the next call', async () => {
      const made = await newKey();
      const before = await auth.verifier.verify(made.key);
      await auth.keys.update(operator, made.id, { tier: 'pro', models: ['opus'], name: 'new' });
      await untilHeard();
      const after = await auth.verifier.verify(made.key);
      expect(after).toMatchObject({ tier: 'pro', epoch: before.epoch + 1, grants: { models: ['opus'] } });
    });

    it('leaves no trace of a change that changes nothing', async () => {
      const made = await newKey({ name: 'same' });
      await auth.keys.update(operator, made.id, { name: 'same' });
      expect((await auth.keys.show(operator, made.id)).epoch).toBe(1);
    });

    it('brings an expired key back with a new end', async () => {
      const made = await newKey({ expiresInSeconds: 10 });
      auth.clock.move(11);
      await expect(auth.verifier.verify(made.key)).rejects.toMatchObject(REFUSED);
      await auth.keys.update(operator, made.id, { expiresAt: null });
      await untilHeard();
      await auth.verifier.verify(made.key);
    });
  });

  describe('rotating it', () => {
    it('keeps the key itself, and the old secret for a day', async () => {
      const made = await newKey();
      const rotated = await auth.keys.rotate(operator, made.id);
      expect(rotated.id).toBe(made.id);
      await untilHeard();
      await Promise.all([made, rotated].map(({ key }) => auth.verifier.verify(key)));
      auth.clock.move(24 * HOUR_S - 5);
      await auth.verifier.verify(made.key);
      auth.clock.move(5);
      await expect(auth.verifier.verify(made.key)).rejects.toMatchObject(REFUSED);
      await auth.verifier.verify(rotated.key);
    });

    it('can end the old secret at once', async () => {
      const made = await newKey();
      await auth.verifier.verify(made.key);
      await auth.keys.rotate(operator, made.id, { overlapSeconds: 0 });
      await untilHeard();
      await expect(auth.verifier.verify(made.key)).rejects.toMatchObject(REFUSED);
    });

    it('never leaves more than two secrets alive', async () => {
      const first = await newKey();
      const second = await auth.keys.rotate(operator, first.id);
      const third = await auth.keys.rotate(operator, first.id);
      await expect(auth.verifier.verify(first.key)).rejects.toMatchObject(REFUSED);
      await Promise.all([second, third].map(({ key }) => auth.verifier.verify(key)));
    });

    it('leaves exactly one current secret when many rotate at once', async () => {
      const made = await newKey();
      const rotated = await Promise.all(
        Array.from({ length: 10 }, () => auth.keys.rotate(operator, made.id)),
      );
      const verdicts = await Promise.allSettled(rotated.map(({ key }) => auth.verifier.verify(key)));
      expect(verdicts.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    });

    it('overlaps for a week at most', async () => {
      const made = await newKey();
      await expect(
        auth.keys.rotate(operator, made.id, { overlapSeconds: 7 * 24 * HOUR_S + 1 }),
      ).rejects.toMatchObject({ param: 'overlap_seconds' });
    });
  });

  describe('revoking it', () => {
    it('ends both of its secrets', async () => {
      const made = await newKey();
      const rotated = await auth.keys.rotate(operator, made.id);
      await auth.keys.revoke(operator, made.id);
      await untilHeard();
      for (const { key } of [made, rotated])
        await expect(auth.verifier.verify(key)).rejects.toMatchObject(REFUSED);
    });

    it('can be repeated, and changes nothing then', async () => {
      const made = await newKey();
      const first = await auth.keys.revoke(operator, made.id);
      const second = await auth.keys.revoke(operator, made.id);
      expect(second.revokedAt).toEqual(first.revokedAt);
      expect(second.epoch).toBe(2);
    });

    it('is for good', async () => {
      const made = await newKey();
      await auth.keys.revoke(operator, made.id);
      await expect(auth.keys.rotate(operator, made.id)).rejects.toMatchObject({ code: 'conflict' });
      await expect(auth.keys.update(operator, made.id, { name: 'x' })).rejects.toMatchObject({
        code: 'conflict',
      });
    });
  });

  it('tells what a secret opens, and refuses one that opens nothing', async () => {
    const made = await newKey();
    expect((await auth.keys.test(operator, made.key)).id).toBe(made.id);
    await expect(auth.keys.test(operator, 'nonsense')).rejects.toMatchObject(REFUSED);
  });

  it('leaves an audit event for every change, by whom and of what', async () => {
    const admin = await newAdmin();
    const { id } = await auth.keys.create(admin, { project: 'audited' });
    await auth.keys.update(admin, id, { name: 'new' });
    await auth.keys.rotate(admin, id);
    await auth.keys.revoke(admin, id);
    await auth.keys.revoke(admin, id);
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(
      `SELECT type, actor, diff FROM audit_events WHERE target->>'id' = $1 ORDER BY seq`,
      [id],
    );
    await client.end();
    expect(rows.map(({ type }) => type)).toEqual([
      'key.created',
      'key.updated',
      'key.rotated',
      'key.revoked',
    ]);
    expect(rows[1]).toMatchObject({
      actor: { kind: 'key', id: admin.keyId },
      diff: { name: { from: '', to: 'new' } },
    });
  });

  it('never stores a secret, in no column of any table', async () => {
    const made = await newKey({ name: 'canary' });
    const rotated = await auth.keys.rotate(operator, made.id);
    await auth.verifier.verify(rotated.key);
    const dump = await everyRow(database.url);
    expect(dump).toContain(made.id);
    for (const { key } of [made, rotated]) {
      expect(dump).not.toContain(key);
      expect(dump).not.toContain(key.slice(19, 62));
    }
  });

  /** The change has been committed; its notification arrives a moment later. */
  async function untilHeard(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

describe('the first administrator', () => {
  it('is made once by fifty starts at the same time, and never again', async () => {
    const database = await createTestDatabase();
    const [one, two] = [await startAuthProcess(database.url), await startAuthProcess(database.url)];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two).bootstrap.ensureAdmin()),
    );
    const made = answers.filter((answer) => answer !== null);
    expect(made).toHaveLength(1);
    const admin = await one.verifier.verify(made[0]!.key);
    expect(admin).toMatchObject({ project: 'operator' });
    await one.keys.revoke(operator, admin.keyId);
    expect(await two.bootstrap.ensureAdmin()).toBeNull();
    await one.stop();
    await two.stop();
    await database.drop();
  });
});

/** All tables of the database as text. */
async function everyRow(url: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  let dump = '';
  for (const { name } of tables) {
    const { rows } = await client.query(
      `SELECT to_jsonb(t) || jsonb_build_object('raw', t::text) AS row FROM ${name} t`,
    );
    dump += JSON.stringify(rows);
  }
  await client.end();
  return dump;
}
