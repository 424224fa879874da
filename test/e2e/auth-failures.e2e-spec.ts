import { AuthFailures } from '../../libs/auth/src/auth-failures.js';
import { mintKey } from '../../libs/auth/src/key-format.js';
import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { withChecksum } from '../support/forged-key.js';
import { startTestService, type TestService } from '../support/test-service.js';

describe('refused keys in the audit', () => {
  let service: TestService;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service?.stop());

  const ask = (key?: string, path = '/v1/admin/audit?limit=200') =>
    fetch(service.url + path, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  const flush = () => service.app.get(AuthFailures, { strict: false }).flush();

  /** Refused after this, by project and reason. */
  async function failed(since: Date) {
    const answer = await ask(admin, `/v1/admin/audit?type=auth.failed&limit=200&from=${since.toISOString()}`);
    const { data } = (await answer.json()) as any;
    return data.map(({ project, target, outcome, diff }: any) => ({
      ...{ project, target: target.id, outcome, reason: diff.reason, count: diff.count, kid: diff.kid },
    }));
  }
  const begin = async () => {
    await flush();
    return new Date(Date.now() + 1);
  };

  it('are counted by reason, and under their project where there is such a key', async () => {
    const since = await begin();
    const made = await service.app.get(KeysService).create(operatorPrincipal(), { project: 'shop' });
    const { kid } = made.currentSecret;
    await service.app.get(KeysService).revoke(operatorPrincipal(), made.id);
    for (const key of [undefined, 'nonsense', mintKey('inference').key, made.key, made.key]) {
      expect((await ask(key)).status).toBe(401);
    }
    expect(await failed(since)).toEqual([]);

    await flush();

    const all = await failed(since);
    const rest = { project: 'operator', target: 'any', outcome: 'denied', kid: undefined, count: 1 };
    expect(all).toHaveLength(4);
    expect(all).toEqual(
      expect.arrayContaining([
        { project: 'shop', target: made.id, outcome: 'denied', reason: 'revoked', count: 2, kid },
        ...['missing', 'malformed', 'unknown'].map((reason) => ({ ...rest, reason })),
      ]),
    );
  });

  it('are a few events whatever comes, and none of them holds a key', async () => {
    const since = await begin();
    const known = await Promise.all(Array.from({ length: 8 }, () => service.key()));
    const bad = Array.from({ length: 1_000 }, (_, n) =>
      n % 10 ? mintKey('inference').key : forged(known[(n / 10) % 8]!.key),
    );
    for (let n = 0; n < bad.length; n += 50) await Promise.all(bad.slice(n, n + 50).map((key) => ask(key)));

    await flush();

    const all = await failed(since);
    expect(all.length).toBeLessThanOrEqual(8);
    expect(all.reduce((sum: number, { count }: any) => sum + count, 0)).toBe(1_000);
    expect(all.filter(({ project }: any) => project === 'test-app').length).toBeGreaterThan(0);
    const text = await (await ask(admin)).text();
    for (const key of bad) expect(text).not.toContain(key.slice(19));
  });

  it('are kept while the database is away', async () => {
    const since = await begin();
    await ask('nonsense');
    const failures = service.app.get(AuthFailures, { strict: false });
    const keys = (failures as any).keys;
    const lookUp = jest.spyOn(keys, 'ownersOf').mockRejectedValueOnce(new Error('away'));
    await flush();
    expect(lookUp).toHaveBeenCalledTimes(1);
    expect(await failed(since)).toEqual([]);
    await ask('nonsense');
    await flush();
    expect(await failed(since)).toMatchObject([{ reason: 'malformed', count: 2 }]);
  });
});

/** What somebody sends who knows a kid and tries secrets: well-formed, with the right checksum. */
function forged(key: string): string {
  return withChecksum(key.slice(0, 19) + mintKey('inference').key.slice(19, 62));
}
