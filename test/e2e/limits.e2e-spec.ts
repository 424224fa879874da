import pg from 'pg';
import { newId } from '@app/common';
import { turns, uses } from '../support/scripted-turns.js';
import { startTestService, type TestService } from '../support/test-service.js';

const USD = 1_000_000_000;
const FILES = [{ path: 'README.md', content: '# Sample\n' }];

/** Real HTTP, real Postgres, the real CLI: what a caller sees of budgets and rates. */
describe('limits, at the doors', () => {
  let service: TestService;
  let database: pg.Client;
  let projects = 0;

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '32', POOL: 'on' });
    database = new pg.Client(service.databaseUrl);
    await database.connect();
  });
  beforeEach(() => service.model.reset());
  afterAll(async () => {
    await database.end();
    await service.stop();
  });

  const rows = async (sql: string, values: unknown[] = []) => (await database.query(sql, values)).rows;
  const complete = (key: string, over = {}) =>
    service.post('/v1/completions', { prompt: 'hi', model: 'haiku', ...over }, key);
  const newProject = () => `limits-${(projects += 1)}`;

  async function budget(project: string, limit: number, unit = 'usd', keyId?: string): Promise<string> {
    const id = newId('budget');
    await rows(
      `INSERT INTO budgets (id, project, key_id, unit, limit_n, period, time_zone)
       VALUES ($1, $2, $3, $4, $5, 'month', 'UTC')`,
      [id, project, keyId, unit, Math.round(limit)],
    );
    return id;
  }
  const window = async (id: string) =>
    (
      await rows(
        'SELECT held_n::float8 AS held, settled_n::float8 AS settled FROM budget_windows WHERE budget_id = $1',
        [id],
      )
    )[0];

  it('tells what is left with each answer', async () => {
    const project = newProject();
    const { key } = await service.key('pro', project);
    const free = await complete(key);
    expect([free.headers.get('x-ratelimit-limit'), free.headers.get('x-ratelimit-remaining')]).toEqual([
      '100',
      '99',
    ]);
    expect(free.headers.get('x-budget-remaining-usd')).toBeNull();
    const id = await budget(project, 5 * USD);
    const answer = await complete(key);
    expect(Number(answer.headers.get('x-budget-remaining-usd'))).toBeCloseTo(5, 3);
    expect(Number(answer.headers.get('x-ratelimit-reset'))).toBeLessThanOrEqual(2);
    expect(await window(id)).toEqual({ held: 0, settled: 4_700 });
    const task = await service.post('/v1/tasks', { description: 'Say done', model: 'haiku' }, key);
    expect([task.status, task.headers.get('x-ratelimit-limit')]).toEqual([202, '100']);
    expect(task.headers.get('x-budget-remaining-usd')).toBe('4.9999953');
  });

  it('402 with the budget, what is left of it and when it resets; the model is not asked', async () => {
    const project = newProject();
    const { id: keyId, key } = await service.key('enterprise', project);
    const id = await budget(project, 100, 'usd', keyId);
    for (const send of [
      () => complete(key),
      () => service.post('/v1/tasks', { description: 'x', model: 'haiku' }, key),
    ]) {
      await rows('UPDATE budgets SET limit_n = 0 WHERE id = $1', [id]);
      const { status, body } = await send();
      expect([status, body.error]).toMatchObject([
        402,
        {
          ...{ type: 'budget_exceeded_error', code: 'budget_exceeded' },
          details: {
            budget: id,
            unit: 'usd',
            limit: 0,
            remaining: 0,
            resets_at: expect.stringMatching(/-01T00:00:00.000Z$/),
          },
        },
      ]);
    }
    expect(service.model.journal).toEqual([]);
    expect(await rows('SELECT 1 FROM runs WHERE project = $1', [project])).toEqual([]);
  });

  it('429 with an exact retry-after when a minute’s requests are used up, and none of it costs a query', async () => {
    const { key } = await service.key('free', newProject());
    const answers = [];
    const startedAt = performance.now();
    while (answers.at(-1)?.status !== 429) answers.push(await complete(key));
    // The tier has ten a minute, and one comes back every six seconds.
    const most = 10 + (performance.now() - startedAt) / 6_000;
    expect(answers.length).toBeGreaterThan(10);
    expect(answers.length - 1).toBeLessThanOrEqual(most);
    const { headers, body } = answers.at(-1)!;
    expect(body.error).toMatchObject({
      type: 'rate_limit_error',
      code: 'rate_limited',
      details: { limit: 10 },
    });
    const { retry_after_ms: wait } = body.error.details;
    expect(wait).toBeLessThanOrEqual(6_000);
    expect(headers.get('retry-after')).toBe(String(Math.ceil(wait / 1000)));
    expect([headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-remaining')]).toEqual(['10', '0']);
    const sent = jest.spyOn(pg.Client.prototype, 'query');
    for (let turn = 0; turn < 50; turn++) expect((await complete(key)).status).toBe(429);
    // Nothing of the caller's: what the service asks by itself from time to time goes on.
    const byItself = /FROM auth_revision|WHERE status = 'running' AND lease_until < now\(\)/;
    const texts = sent.mock.calls
      .map(([query]) => (typeof query === 'string' ? query : (query as any).text))
      .filter((text) => !byItself.test(text));
    expect(texts.filter((text) => /key|admit|allowance|budget|rate|runs/.test(text))).toEqual([]);
    sent.mockRestore();
    await new Promise((resolve) => setTimeout(resolve, wait));
    expect((await complete(key)).status).toBe(200);
  }, 60_000);

  it('admits 30 parallel completions of opus in a budget of $20: none is refused for want of a hold', async () => {
    const project = newProject();
    const keys = await Promise.all([1, 2, 3].map(() => service.key('enterprise', project)));
    const id = await budget(project, 20 * USD);
    const prompt = 'word '.repeat(2_000);
    service.model.script = () => ({
      ...{ inputTokens: 3_000, outputTokens: 1_000 },
      chunks: 10,
      chunkDelayMs: 100,
    });
    // Thirty CLIs that start at once may starve the connections to the database on a busy machine: what a caller
    // is told then is to try again.
    const patiently = async (key: string) => {
      for (;;) {
        const answer = await complete(key, { prompt, model: 'opus' });
        if (answer.body.error?.code !== 'database_unavailable') return answer;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    };
    const answers = await Promise.all(
      keys.flatMap(({ key }) => Array.from({ length: 10 }, () => patiently(key))),
    );
    expect(answers.map(({ status, body }) => [status, body.choices?.[0].finish_reason ?? body])).toEqual(
      Array.from({ length: 30 }, () => [200, 'stop']),
    );
    expect(await window(id)).toEqual({ held: 0, settled: 30 * (3_000 * 4_000 + 1_000 * 20_000) });
  }, 240_000);

  const TEN_CALLS = () =>
    turns([
      ...Array.from({ length: 9 }, () => ({
        ...{ text: 'On.', inputTokens: 1_000, outputTokens: 3_000 },
        ...uses('Read', { file_path: '/workspace/README.md' }),
      })),
      { text: 'Done.', inputTokens: 1_000, outputTokens: 3_000 },
    ]);

  it('a task of ten model calls is stopped by the broker at its max_cost_usd, and by a key’s budget', async () => {
    const project = newProject();
    const { id: keyId, key } = await service.key('enterprise', project);
    service.model.script = TEN_CALLS();
    const ask = { description: 'Spend', files: FILES, model: 'sonnet' };
    const whole = await service.post('/v1/task', ask, key);
    expect([whole.body.status, service.model.journal.length]).toEqual(['succeeded', 10]);
    const cost = whole.body.cost_usd as number;

    const capped = await service.post('/v1/task', { ...ask, max_cost_usd: cost / 2 + 0.15 }, key);
    expect([capped.body.status, capped.body.error.code]).toEqual(['budget_exceeded', 'budget_exceeded']);
    expect(capped.body.cost_usd).toBeLessThanOrEqual(cost / 2 + 0.15);
    expect(capped.body.result.output).toBe('On.');

    const id = await budget(project, (cost / 2 + 0.15) * USD, 'usd', keyId);
    const stopped = await service.post('/v1/task', ask, key);
    expect([stopped.body.status, stopped.body.error]).toMatchObject([
      'budget_exceeded',
      { code: 'budget_exceeded', details: { budget: id, unit: 'usd' } },
    ]);
    expect(stopped.body.cost_usd).toBeGreaterThan(0);
    expect(await window(id)).toEqual({ held: 0, settled: Math.round(stopped.body.cost_usd * USD) });
  }, 120_000);

  it('a model that reports more than was reserved leaves an overrun: kept apart, logged and audited', async () => {
    const project = newProject();
    const { key } = await service.key('enterprise', project);
    const id = await budget(project, USD);
    service.model.script = () => ({ inputTokens: 12, outputTokens: 5_000_000 });
    await complete(key, { max_tokens: 100 });
    const [row] = await rows(
      `SELECT held_n::float8 AS held, settled_n + overrun_n AS all, overrun_n > 0 AS over FROM budget_windows
        WHERE budget_id = $1`,
      [id],
    );
    expect(row).toEqual({ held: 0, all: String(12 * 100 + 5_000_000 * 500), over: true });
    const events = await rows(
      `SELECT type, diff FROM audit_events WHERE project = $1 AND type LIKE 'budget.%' ORDER BY seq`,
      [project],
    );
    expect(events.map(({ type, diff }) => [type, diff.pct])).toEqual([
      ['budget.threshold', 50],
      ['budget.threshold', 80],
      ['budget.threshold', 95],
      ['budget.threshold', 100],
      ['budget.overrun', undefined],
    ]);
    expect((await complete(key)).status).toBe(402);
  });

  it('keeps a queued task out of money that is gone when its turn comes', async () => {
    const project = newProject();
    const { key } = await service.key('free', project);
    service.model.script = () => ({ chunkDelayMs: 300 });
    const [first, second] = [
      await service.post('/v1/tasks', { description: 'first', model: 'haiku' }, key),
      await service.post('/v1/tasks', { description: 'second', model: 'haiku' }, key),
    ];
    while (service.model.journal.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await budget(project, 0);
    const ended = async (id: string) => {
      for (;;) {
        const answer = await fetch(`${service.url}/v1/tasks/${id}`, {
          headers: { authorization: `Bearer ${key}` },
        });
        const task = (await answer.json()) as any;
        if (task.finished_at) return task;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    expect((await ended(first.body.id)).status).toBe('succeeded');
    const late = await ended(second.body.id);
    expect([late.status, late.error.code]).toEqual(['budget_exceeded', 'budget_exceeded']);
  }, 60_000);
});
