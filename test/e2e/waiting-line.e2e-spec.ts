import { setTimeout as sleep } from 'node:timers/promises';
import { Transactions } from '@app/database';
import { startTestService, type TestService } from '../support/test-service.js';

describe('more requests than MAX_RUNS', () => {
  let service: TestService;
  let keys: string[];

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '1' });
    keys = await Promise.all(
      ['a', 'b'].map(async (project) => (await service.key('enterprise', project)).key),
    );
  });
  beforeEach(() => service.model.reset());
  afterAll(() => service.stop());

  const complete = (prompt: string, key: string | undefined, signal?: AbortSignal) =>
    fetch(`${service.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prompt, model: 'haiku' }),
      signal,
    });
  const runs = async () =>
    (await service.app.get(Transactions).manager.query<unknown[]>('SELECT id FROM runs')).length;
  const modelWasAsked = async () => {
    while (service.model.journal.length === 0) await sleep(10);
  };

  it('wait in line, which serves the keys in turn, and are told how long they waited', async () => {
    service.model.script = () => ({ chunkDelayMs: 200 });
    const order: string[] = [];
    const one = async (prompt: string, key: string | undefined) => {
      const body = (await (await complete(prompt, key)).json()) as { timing: { queue_ms: number } };
      order.push(prompt);
      return body.timing.queue_ms;
    };
    const first = one('a1', keys[0]);
    await modelWasAsked();
    const waiting = ['a2', 'a3', 'a4'].map((prompt) => one(prompt, keys[0]));
    await sleep(100);
    const other = one('b1', keys[1]);
    const waited = await Promise.all([first, ...waiting, other]);
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
    expect(waited[0]).toBeLessThan(50);
    expect(Math.min(...waited.slice(1))).toBeGreaterThan(50);
  });

  it('are refused with 503 when ten wait for each place', async () => {
    service.model.script = () => ({ chunkDelayMs: 50 });
    const answers = await Promise.all(
      Array.from({ length: 14 }, (_, index) => complete('hi', keys[index % 2])),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(11).fill(200), 503, 503, 503]);
    const refused = answers.find(({ status }) => status === 503);
    expect(refused?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await refused?.json()).toMatchObject({ error: { type: 'overloaded_error', code: 'queue_full' } });
  });

  it('leave the line when their client goes away, and nothing was opened for them', async () => {
    service.model.script = () => ({ chunkDelayMs: 200 });
    const before = await runs();
    const working = complete('hi', keys[0]);
    await modelWasAsked();
    const client = new AbortController();
    const waiting = complete('never', keys[1], client.signal).catch(() => 'gone');
    await sleep(100);
    client.abort();
    expect(await waiting).toBe('gone');
    expect((await working).status).toBe(200);
    expect((await complete('next', keys[1])).status).toBe(200);
    expect(await runs()).toBe(before + 2);
    expect(JSON.stringify(service.model.journal)).not.toContain('never');
  });
});
