import { setTimeout as sleep } from 'node:timers/promises';
import { KeyEpochs, operatorPrincipal } from '@app/auth';
import { Notifications, Transactions } from '@app/database';
import { TierBook, Tiers } from '@app/permissions';
import { mintKey } from '../../libs/auth/src/key-format.js';
import { KeysRepository } from '../../libs/auth/src/keys.repository.js';
import { type AuthProcess, startAuthProcess } from '../support/auth-process.js';
import { severableUrl } from '../support/severable-url.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const operator = operatorPrincipal();
const REFUSED = { code: 'invalid_api_key' };

describe('verifying a key', () => {
  let database: TestDatabase;
  let here: AuthProcess;
  let queries: jest.SpyInstance;
  const opened: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    here = await startAuthProcess(database.url);
  });
  beforeEach(() => {
    queries = jest.spyOn(here.app.get(KeysRepository), 'secretWithKey');
  });
  afterEach(async () => {
    queries.mockRestore();
    for (const other of opened.splice(0)) await other.stop();
  });
  afterAll(async () => {
    await here?.stop();
    await database?.drop();
  });

  /** Once the processes have heard of it: what follows is about this key alone. */
  const newKey = async (input = {}) => {
    const made = await here.keys.create(operator, { project: 'my-app', tier: 'pro', ...input });
    await sleep(50);
    return made;
  };
  const startOther = async (...args: Parameters<typeof startAuthProcess>) => {
    const other = await startAuthProcess(...args);
    opened.push(other);
    return other;
  };

  it('gives the caller with all that its key may do', async () => {
    const made = await newKey({ agents: ['reviewer'], models: ['haiku'], requestsPerMinute: 7 });
    expect(await here.verifier.verify(made.key)).toEqual({
      kind: 'key',
      project: 'my-app',
      keyId: made.id,
      epoch: 1,
      tier: 'pro',
      scopes: new Set([
        'completions:create',
        'models:read',
        'tasks:create',
        'tasks:read',
        'tasks:cancel',
        'self:read',
      ]),
      grants: { agents: ['reviewer'], skills: [], models: ['haiku'], requestsPerMinute: 7 },
    });
  });

  it('asks the database once, however many callers wait, and not at all for a key it knows', async () => {
    const { key } = await newKey();
    await Promise.all(Array.from({ length: 50 }, () => here.verifier.verify(key)));
    await here.verifier.verify(key);
    expect(queries).toHaveBeenCalledTimes(1);
  });

  it('asks nothing about garbage, and once in 5 s about a well-formed key that it does not know', async () => {
    const { key } = await newKey();
    await expect(here.verifier.verify(`${key.slice(0, -1)}_`)).rejects.toMatchObject(REFUSED);
    expect(queries).not.toHaveBeenCalled();
    const forged = mintKey('inference').key;
    for (let i = 0; i < 5; i++) await expect(here.verifier.verify(forged)).rejects.toMatchObject(REFUSED);
    expect(queries).toHaveBeenCalledTimes(1);
    here.clock.move(6);
    await expect(here.verifier.verify(forged)).rejects.toMatchObject(REFUSED);
    expect(queries).toHaveBeenCalledTimes(2);
  });

  it('reads a key again after 30 s without keeping the caller, and before answering after 120 s', async () => {
    const { key } = await newKey();
    await here.verifier.verify(key);
    here.clock.move(31);
    await sleep(1100); // the poll, by the moved clock, is up to date again
    await here.verifier.verify(key);
    await here.verifier.verify(key);
    expect(queries).toHaveBeenCalledTimes(2);
    here.clock.move(121);
    await sleep(1100);
    queries.mockRejectedValueOnce(new Error('asked'));
    await expect(here.verifier.verify(key)).rejects.toThrow('asked');
  });

  it('ends at the very second a key expires, known or not', async () => {
    const { key } = await newKey({ expiresInSeconds: 60 });
    await here.verifier.verify(key);
    here.clock.move(59);
    await here.verifier.verify(key);
    here.clock.move(1);
    await expect(here.verifier.verify(key)).rejects.toMatchObject(REFUSED);
  });

  it('tells every key that does not work the same', async () => {
    const expired = await newKey({ expiresInSeconds: 1 });
    const revoked = await newKey();
    await here.keys.revoke(operator, revoked.id);
    here.clock.move(2);
    const answers = new Set<string>();
    for (const presented of ['', 'nonsense', expired.key, revoked.key]) {
      const error = await here.verifier.verify(presented).catch((reason) => reason);
      answers.add(JSON.stringify(error.toEnvelope('req_1')));
    }
    expect(answers.size).toBe(1);
  });

  it('hears of a revocation elsewhere within milliseconds', async () => {
    const other = await startOther(database.url);
    const heard = jest.fn();
    other.changes.onChange(heard);
    for (let round = 0; round < 5; round++) {
      const made = await newKey();
      await other.verifier.verify(made.key);
      await here.keys.revoke(operator, made.id);
      await sleep(100);
      await expect(other.verifier.verify(made.key)).rejects.toMatchObject(REFUSED);
      expect(heard).toHaveBeenCalledWith({ keyId: made.id, kind: 'revoked' });
    }
  });

  it('hears of it within a second when no notification arrives', async () => {
    const deaf = await startOther(database.url, (builder) =>
      builder
        .overrideProvider(Notifications)
        .useValue({ listen: () => undefined, onReconnect: () => undefined, notify: async () => undefined }),
    );
    const heard = jest.fn();
    deaf.changes.onChange(heard);
    const made = await newKey();
    await deaf.verifier.verify(made.key);
    await here.keys.revoke(operator, made.id);
    await sleep(1100);
    await expect(deaf.verifier.verify(made.key)).rejects.toMatchObject(REFUSED);
    expect(heard.mock.calls.filter(([change]) => change.kind === 'revoked')).toEqual([
      [{ keyId: made.id, kind: 'revoked' }],
    ]);
  });

  it('knows a key no sooner than its tier, also where no notification arrives', async () => {
    const deaf = await startOther(database.url, (builder) =>
      builder
        .overrideProvider(Notifications)
        .useValue({ listen: () => undefined, onReconnect: () => undefined, notify: async () => undefined }),
    );
    const rate = () => deaf.app.get(Tiers, { strict: false }).get('pro').requestsPerMinute;
    const { key } = await newKey();
    for (const changed of [7, 8, 9]) {
      await here.app.get(Transactions).run(async () => {
        const book = here.app.get(TierBook, { strict: false });
        await book.set(operator, 'pro', { requestsPerMinute: changed });
        await here.app.get(KeyEpochs).raise({ tier: 'pro' });
      });
      deaf.clock.move(121); // what it knew of the key is too old to be used
      await deaf.verifier.verify(key);
      expect(rate()).toBe(changed);
    }
  });

  it('answers 503, never 401, while the database is away, known keys for 3 s more, and then heals', async () => {
    const way = await severableUrl(database.url);
    const other = await startOther(way.url);
    const [known, unseen] = [await newKey(), await newKey()];
    await other.verifier.verify(known.key);
    way.sever();
    await other.verifier.verify(known.key);
    const unavailable = { code: 'database_unavailable', status: 503 };
    await expect(other.verifier.verify(unseen.key)).rejects.toMatchObject(unavailable);
    other.clock.move(4);
    await expect(other.verifier.verify(known.key)).rejects.toMatchObject(unavailable);
    way.mend();
    await sleep(2000);
    await other.verifier.verify(unseen.key);
    await here.keys.revoke(operator, known.id);
    await sleep(1100);
    await expect(other.verifier.verify(known.key)).rejects.toMatchObject(REFUSED);
    await other.stop();
    opened.pop();
    await way.close();
  });

  it('writes when a key was used, off the path of the request', async () => {
    const made = await newKey();
    const other = await startOther(database.url);
    await other.verifier.verify(made.key);
    await other.stop();
    opened.pop();
    expect((await here.keys.show(operator, made.id)).lastUsedAt).toBeInstanceOf(Date);
  });
});
