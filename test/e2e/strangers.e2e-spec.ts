import { mintKey } from '../../libs/auth/src/key-format.js';
import { KeySecrets } from '../../libs/auth/src/key-secrets.js';
import { KeysRepository } from '../../libs/auth/src/keys.repository.js';
import { StrangerCounts } from '../../libs/auth/src/strangers/stranger-counts.js';
import { Clock } from '@app/common';
import { WebSocket } from 'ws';
import { withChecksum } from '../support/forged-key.js';
import { startTestService, type TestService } from '../support/test-service.js';

const FAILED = 20;
const UNAUTHENTICATED = 30;

describe('an address without a key that works', () => {
  let service: TestService;
  let known: string;
  let queries: jest.SpyInstance;
  let hashes: jest.SpyInstance;

  beforeEach(async () => {
    service = await startTestService({
      FAILED_KEYS_PER_MINUTE: String(FAILED),
      UNAUTHENTICATED_PER_MINUTE: String(UNAUTHENTICATED),
    });
    known = (await service.key()).key;
    await ask(known);
    queries = jest.spyOn(service.app.get(KeysRepository, { strict: false }), 'secretWithKey');
    hashes = jest.spyOn(service.app.get(KeySecrets, { strict: false }), 'digest');
  });
  afterEach(() => service?.stop());

  const ask = (key?: string, path = '/v1/me') =>
    fetch(service.url + path, { headers: key === undefined ? {} : { 'x-api-key': key } });
  const askOften = async (times: number, key: () => string | undefined, path?: string) =>
    (await Promise.all(Array.from({ length: times }, () => ask(key(), path)))).map(({ status }) => status);
  const count = (statuses: number[], status: number) => statuses.filter((one) => one === status).length;
  const unknownKey = () => mintKey('inference').key;

  it.each([
    ['none', () => undefined],
    ['nonsense', () => 'nonsense'],
    ['unknown ones', unknownKey],
  ])('may fail so often in a minute: %s', async (_, key) => {
    expect(count(await askOften(FAILED, key), 401)).toBe(FAILED);
    expect(count(await askOften(15, key), 429)).toBe(15);
  });

  it('may show any number of good keys that nobody knows yet, all at once', async () => {
    const fresh = await Promise.all(Array.from({ length: FAILED * 2 }, () => service.key()));
    const statuses = await Promise.all(fresh.map(async ({ key }) => (await ask(key)).status));
    expect(count(statuses, 200)).toBe(FAILED * 2);
  });

  it('is then told when to come back, before anything is hashed or asked', async () => {
    await askOften(FAILED, unknownKey);
    queries.mockClear();
    hashes.mockClear();
    const answer = await ask(unknownKey());
    expect(await answer.json()).toMatchObject({
      type: 'error',
      error: { type: 'rate_limit_error', code: 'rate_limited' },
    });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect([queries.mock.calls.length, hashes.mock.calls.length]).toEqual([0, 0]);
  });

  it('does not stand in the way of a key that works here, nor is that one ever counted', async () => {
    const fresh = (await service.key()).key;
    expect(count(await askOften(FAILED * 3, () => known), 200)).toBe(FAILED * 3);
    for (let i = 0; i < FAILED * 2; i++) expect((await ask((await service.key()).key)).status).toBe(200);
    await askOften(FAILED + 1, unknownKey);
    expect((await ask(known)).status).toBe(200);
    // Nobody can tell it from a bad one without looking it up.
    expect((await ask(fresh)).status).toBe(429);
  });

  it('a wrong secret of a key that works costs no query, and counts', async () => {
    const { kid, forged } = anotherSecretOf(known);
    queries.mockClear();
    const statuses = await askOften(FAILED + 5, () => forged);
    expect([count(statuses, 401), count(statuses, 429)]).toEqual([FAILED, 5]);
    expect(queries.mock.calls.filter(([asked]) => asked === kid)).toEqual([]);
    expect((await ask(known)).status).toBe(200);
  });

  it('may ask public routes so often in a minute, health and readiness as often as it likes', async () => {
    const socket = '/v1/stream';
    const statuses = await askOften(UNAUTHENTICATED + 5, () => undefined, socket);
    expect([count(statuses, 426), count(statuses, 429)]).toEqual([UNAUTHENTICATED, 5]);
    expect((await ask(known, socket)).status).toBe(426);
    expect((await ask(unknownKey(), socket)).status).toBe(429);
    const health = await askOften(UNAUTHENTICATED + 5, () => undefined, '/health');
    expect(count(health, 200)).toBe(UNAUTHENTICATED + 5);
    expect((await ask(undefined, '/ready')).status).not.toBe(429);
  });

  it('fails at the socket by the same count', async () => {
    await askOften(FAILED - 1, unknownKey);
    expect(await handshake(unknownKey())).toBe(401);
    expect(await handshake(unknownKey())).toBe(429);
    expect(await handshake(known)).toBe(101);
    expect((await ask(unknownKey())).status).toBe(429);
  });

  function handshake(key: string): Promise<number> {
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/v1/stream`, {
      headers: { 'x-api-key': key },
    });
    return new Promise((resolve, reject) => {
      socket.on('unexpected-response', (_, response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      socket.on('open', () => {
        socket.on('close', () => resolve(101));
        socket.close();
      });
      socket.on('error', reject);
    });
  }

  /** A well-formed key with the kid of this one. */
  function anotherSecretOf(key: string) {
    const kid = key.split('_')[2]!;
    return { kid, forged: withChecksum(key.slice(0, 19) + unknownKey().slice(19, 62)) };
  }
});

describe('the counts of strangers', () => {
  let now = 0;
  const clock = { monotonicMs: () => now, now: () => new Date(now) } as Clock;

  it('begin anew when their minute is over', () => {
    const counts = new StrangerCounts(clock);
    for (let hit = 1; hit <= 3; hit++) counts.add('a', 60_000, 2);
    now += 59_500;
    expect(counts.add('a', 60_000, 2)).toMatchObject({ totalHits: 4, isBlocked: true, timeToExpire: 1 });
    now += 500;
    expect(counts.add('a', 60_000, 2)).toMatchObject({ totalHits: 1, isBlocked: false, timeToExpire: 60 });
  });

  it('hold a bounded number of networks, however many come', () => {
    const counts = new StrangerCounts(clock);
    counts.add('first', 60_000, 1);
    for (let i = 0; i < 50_000; i++) counts.add(`other ${i}`, 60_000, 1);
    expect((counts as any).windows.size).toBe(50_000);
    expect(counts.add('first', 60_000, 1).totalHits).toBe(1);
  });
});
