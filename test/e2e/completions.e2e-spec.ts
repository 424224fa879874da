import { setTimeout as sleep } from 'node:timers/promises';
import { KeysService, operatorPrincipal } from '@app/auth';
import { Transactions } from '@app/database';
import { eventsOf, startTestService, type TestService } from '../support/test-service.js';

describe('POST /v1/completions', () => {
  let service: TestService;
  let key: string;
  let keyId: string;

  beforeAll(async () => {
    service = await startTestService({ POOL: 'on' });
    ({ key, id: keyId } = await service.key());
  });
  beforeEach(() => service.model.reset());
  afterAll(() => service.stop());

  const complete = (body: object, headers?: Record<string, string>, as = key) =>
    service.post('/v1/completions', { prompt: 'say hello', model: 'haiku', ...body }, as, headers);
  const query = <T>(sql: string, values: unknown[] = []) =>
    service.app.get(Transactions).manager.query<T[]>(sql, values);
  const openRuns = async () =>
    (await query<{ id: string }>('SELECT id FROM runs WHERE outcome IS NULL')).length;

  describe('200', () => {
    it('answers with the text, the usage, the cost and the timing', async () => {
      const { status, body, headers } = await complete({ metadata: { ticket: 'A-17' } });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        id: expect.stringMatching(/^run_[0-9a-f]{32}$/),
        object: 'text_completion',
        model: 'claude-haiku-5-5',
        content: 'Hello from the stand-in',
        choices: [{ index: 0, text: 'Hello from the stand-in', finish_reason: 'stop' }],
        usage: { input_tokens: 12, output_tokens: 7, total_tokens: 19 },
        // 12 tokens in at $0.10 and 7 out at $0.50 a million.
        cost_usd: 0.0000047,
        timing: { queue_ms: expect.any(Number), first_token_ms: expect.any(Number), warm: false },
        warnings: [],
        metadata: { ticket: 'A-17' },
      });
      expect(headers.get('x-cost-usd')).toBe('0.0000047');
      expect(headers.get('server-timing')).toContain('total;dur=');
      expect(headers.get('x-request-id')).toMatch(/^req_/);
    });

    it('leaves one run with one outcome, its usage and two audit events', async () => {
      const { body } = await complete({});
      expect(
        await query('SELECT outcome, finish_reason, cost_nano, cli_cost_nano FROM runs WHERE id = $1', [
          body.id,
        ]),
      ).toEqual([{ outcome: 'succeeded', finish_reason: 'stop', cost_nano: '4700', cli_cost_nano: null }]);
      expect(
        await query('SELECT model, calls, input_tokens, output_tokens FROM run_usage WHERE run_id = $1', [
          body.id,
        ]),
      ).toEqual([{ model: 'claude-haiku-5-5', calls: 1, input_tokens: '12', output_tokens: '7' }]);
      expect(
        await query(`SELECT type FROM audit_events WHERE target->>'id' = $1 ORDER BY seq`, [body.id]),
      ).toEqual([{ type: 'run.started' }, { type: 'run.ended' }]);
    });

    it('sets the sampling on the upstream request', async () => {
      await complete({ max_tokens: 50, stop: ['END'], temperature: 0.2 });
      expect(service.model.journal[0]?.body).toMatchObject({
        max_tokens: 50,
        stop_sequences: ['END'],
        temperature: 0.2,
      });
    });

    it('says length when the answer was cut at max_tokens', async () => {
      service.model.script = () => ({ stopReason: 'max_tokens' });
      const { body } = await complete({ max_tokens: 5 });
      expect(body.choices[0].finish_reason).toBe('length');
    });

    it('says budget_exceeded when max_cost_usd made the answer short', async () => {
      service.model.script = () => ({ stopReason: 'max_tokens' });
      const { body } = await complete({ max_cost_usd: 0.001 });
      expect(body.choices[0].finish_reason).toBe('budget_exceeded');
      expect(service.model.journal[0]?.body.max_tokens).toBeLessThan(2001);
    });

    it('chooses a model for the prompt when none is named, and says why', async () => {
      const { body } = await service.post('/v1/completions', { prompt: 'Translate "cat" to French.' }, key);
      expect(body.routing).toEqual({ model: 'haiku', reasons: expect.arrayContaining([expect.any(String)]) });
      expect(body.model).toBe('claude-haiku-5-5');
    });

    it('accepts a full model id, and warns when no price is known for it', async () => {
      const { body } = await complete({ model: 'claude-opus-9-9' });
      expect(body).toMatchObject({ model: 'claude-opus-9-9', cost_usd: null });
      expect(body.warnings).toEqual([expect.stringContaining('claude-opus-9-9')]);
    });

    it('has no figures, and no zeros, when the model’s API did not say what was used', async () => {
      service.model.script = () => ({ withoutUsage: true });
      const { status, body } = await complete({});
      expect(status).toBe(200);
      expect(body.usage).toMatchObject({ input_tokens: null, output_tokens: null, total_tokens: null });
      expect([body.cost_usd, body.warnings]).toEqual([null, [expect.stringContaining('did not report')]]);
    });

    it('streams token by token, numbered, and ends with done', async () => {
      service.model.script = () => ({ text: 'one two three four', chunks: 4, chunkDelayMs: 30 });
      const { text, headers } = await complete({ stream: true });
      expect(headers.get('content-type')).toContain('text/event-stream');
      const events = eventsOf(text);
      expect(events.map(({ type }) => type)).toEqual(['started', 'token', 'token', 'token', 'token', 'done']);
      expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(
        events
          .slice(1, 5)
          .map(({ content }) => content)
          .join(''),
      ).toBe('one two three four');
      expect(events[5]).toMatchObject({
        finish_reason: 'stop',
        cost_usd: 0.0000047,
        usage: { output_tokens: 7 },
      });
    });

    it('passes an answer of 1 MB, streamed too', async () => {
      const megabyte = 'abcdefgh'.repeat(128 * 1024);
      service.model.script = () => ({ text: megabyte, chunks: 300 });
      const { body } = await complete({});
      expect(body.content === megabyte).toBe(true);
      const streamed = eventsOf((await complete({ stream: true })).text);
      expect(streamed.map(({ content }) => content ?? '').join('') === megabyte).toBe(true);
    });
  });

  describe('400', () => {
    it.each([
      ['timeout_seconds', 0],
      ['timeout_seconds', -1],
      ['timeout_seconds', 1e9],
      ['timeout_seconds', 1.5],
      ['timeout_seconds', null],
      ['timeout_seconds', '60'],
      ['max_tokens', 0],
      ['max_cost_usd', 0],
      ['temperature', 1.1],
      ['stop', 'END'],
      ['stop', [' ']],
      ['stop', ['1', '2', '3', '4', '5', '6', '7', '8', '9']],
      ['stream', 'yes'],
      ['metadata', 'text'],
      ['system', null],
      ['nonsense', 1],
    ])('names the field when %s is %j', async (param, value) => {
      const { status, body } = await complete({ [param]: value });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        type: 'error',
        error: { type: 'invalid_request_error', code: 'invalid_request' },
      });
      expect(body.error.param).toMatch(new RegExp(`^${param}`));
      expect(service.model.journal).toHaveLength(0);
    });

    it('refuses temperature together with top_p', async () => {
      const { status, body } = await complete({ temperature: 0.1, top_p: 0.9 });
      expect([status, body.error.param]).toEqual([400, 'top_p']);
    });

    it('tells what the model’s API had against the request', async () => {
      service.model.script = () => ({ status: 400 });
      const { status, body } = await complete({});
      expect(status).toBe(400);
      expect(body.error.message).toContain('scripted failure');
    });

    it('keeps the credential when the model’s API quotes it', async () => {
      service.model.script = ({ headers }) => ({ status: 400, message: `no, ${headers['x-api-key']}` });
      const { status, text } = await complete({});
      expect(status).toBe(400);
      expect(text).toContain('no, [redacted]');
    });
  });

  it('401: an administration key cannot infer, a made-up one neither', async () => {
    const { status, body } = await complete({}, {}, 'cc_sk_nonsense');
    expect([status, body.error.type]).toEqual([401, 'authentication_error']);
  });

  it('402: nothing is bought when not even a short answer fits', async () => {
    const { status, body } = await complete({ max_cost_usd: 0.0000001 });
    expect([status, body.error.type]).toEqual([402, 'budget_exceeded_error']);
    expect(service.model.journal).toHaveLength(0);
  });

  it('403: each thing that the tier refuses is named with its rule', async () => {
    const free = await service.key('free');
    const { status, body } = await complete({ timeout_seconds: 3600, max_cost_usd: 5 }, {}, free.key);
    expect(status).toBe(403);
    expect(body.error.details.refusals.map(({ item, rule }: any) => [item, rule])).toEqual([
      ['timeout_seconds', 'tier:free'],
      ['max_cost_usd', 'tier:free'],
    ]);
    const [denied] = await query<{ outcome: string; request_id: string }>(
      `SELECT outcome, request_id FROM audit_events WHERE type = 'run.refused' AND actor->>'id' = $1`,
      [free.id],
    );
    expect(denied).toEqual({ outcome: 'denied', request_id: body.request_id });
  });

  it('403: an administration key cannot infer', async () => {
    const admin = await service.app
      .get(KeysService)
      .create(operatorPrincipal(), { project: 'test-app', tier: 'enterprise', admin: true });
    const { status } = await complete({}, {}, admin.key);
    expect(status).toBe(403);
  });

  it('a free key with plain defaults works', async () => {
    const free = await service.key('free');
    const { status } = await service.post('/v1/completions', { prompt: 'hello' }, free.key);
    expect(status).toBe(200);
  });

  describe('Idempotency-Key', () => {
    it('replays the answer, and calls the model once', async () => {
      const first = await complete({}, { 'idempotency-key': 'once-1' });
      const second = await complete({}, { 'idempotency-key': 'once-1' });
      expect(second.body).toEqual(first.body);
      expect(second.headers.get('idempotent-replayed')).toBe('true');
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      expect(service.model.journal).toHaveLength(1);
    });

    it('replays a stream as one burst', async () => {
      await complete({ stream: true }, { 'idempotency-key': 'once-2' });
      const { text } = await complete({ stream: true }, { 'idempotency-key': 'once-2' });
      expect(eventsOf(text).map(({ type }) => type)).toEqual(['started', 'token', 'done']);
      expect(service.model.journal).toHaveLength(1);
    });

    it('row 46: 409 while the first is running, 422 with another body, and neither calls the model', async () => {
      service.model.script = () => ({ chunkDelayMs: 300 });
      const first = complete({}, { 'idempotency-key': 'once-3' });
      await sleep(100);
      expect((await complete({}, { 'idempotency-key': 'once-3' })).status).toBe(409);
      expect((await complete({ max_tokens: 9 }, { 'idempotency-key': 'once-3' })).status).toBe(422);
      expect((await first).status).toBe(200);
      expect(service.model.journal).toHaveLength(1);
    });

    it('is free again after a failure', async () => {
      service.model.script = () => ({ status: 400 });
      expect((await complete({}, { 'idempotency-key': 'once-4' })).status).toBe(400);
      service.model.script = () => ({});
      expect((await complete({}, { 'idempotency-key': 'once-4' })).status).toBe(200);
    });

    it('row 47: belongs to the project: another one has its own', async () => {
      const other = await service.key('enterprise', 'other-app');
      const first = await complete({}, { 'idempotency-key': 'once-5' });
      const second = await complete({}, { 'idempotency-key': 'once-5' }, other.key);
      expect(second.body.id).not.toBe(first.body.id);
    });

    it.each(['a'.repeat(256), 'with space'])(
      '400 for a key that is not printable or too long',
      async (name) => {
        expect((await complete({}, { 'idempotency-key': name })).status).toBe(400);
      },
    );

    it('one run for 20 requests at the same time', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => complete({}, { 'idempotency-key': 'once-6' })),
      );
      expect(service.model.journal).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
      expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    });
  });

  describe('limits', () => {
    it('429 when a free key asks for a second run at once', async () => {
      const free = await service.key('free');
      service.model.script = () => ({ chunkDelayMs: 200 });
      const first = complete({}, {}, free.key);
      await sleep(100);
      const second = await complete({}, {}, free.key);
      expect([second.status, second.body.error.code]).toEqual([429, 'concurrency_limited']);
      expect(second.headers.get('retry-after')).toBe('1');
      expect((await first).status).toBe(200);
      expect((await complete({}, {}, free.key)).status).toBe(200);
    });

    it('504 at timeout_seconds, and the run is written as timed out', async () => {
      service.model.script = () => ({ hang: true });
      const { status, body } = await complete({ timeout_seconds: 1 });
      expect([status, body.error.type]).toEqual([504, 'timeout_error']);
      expect(await openRuns()).toBe(0);
    });

    it('a client that disconnects stops the run within 2 s, at the model too, whenever it goes', async () => {
      service.model.script = () => ({ text: 'word '.repeat(400), chunks: 400, chunkDelayMs: 20 });
      for (let tokens = 1; tokens <= 8; tokens += 1) {
        await goAwayAfter(tokens);
        const goneAt = performance.now();
        while ((await openRuns()) > 0) {
          expect(performance.now() - goneAt).toBeLessThan(2000);
          await sleep(20);
        }
      }
      expect(service.model.aborted).toBe(8);
      const ends = await query(
        'SELECT outcome, cost_nano, settled_nano > 1000000 AS paid FROM runs ORDER BY started_at DESC LIMIT 8',
      );
      // What the provider charges for an answer that was cut nobody knows: it counts as all that was reserved.
      expect(ends).toEqual(
        Array.from({ length: 8 }, () => ({ outcome: 'cancelled', cost_nano: null, paid: true })),
      );
    });

    async function goAwayAfter(tokens: number): Promise<void> {
      const client = new AbortController();
      const response = await fetch(`${service.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ prompt: 'go on', model: 'haiku', stream: true }),
        signal: client.signal,
      });
      let text = '';
      for await (const chunk of response.body ?? []) {
        text += new TextDecoder().decode(chunk);
        if (text.split('event: token').length > tokens) break;
      }
      client.abort();
    }

    it('a revoked key loses its running work within 2 s and starts no more', async () => {
      const doomed = await service.key();
      service.model.script = () => ({ hang: true });
      const running = complete({}, {}, doomed.key);
      while ((await openRuns()) === 0) await sleep(20);
      await service.app.get(KeysService).revoke(operatorPrincipal(), doomed.id);
      const revokedAt = performance.now();
      expect((await running).status).toBe(401);
      expect(performance.now() - revokedAt).toBeLessThan(2000);
      expect((await complete({}, {}, doomed.key)).status).toBe(401);
    });
  });

  describe('the model’s API in trouble', () => {
    it.each([-1_000_000, 12.5, 1e300])(
      '%f output tokens are not money, and the run is settled',
      async (n) => {
        service.model.script = () => ({ outputTokens: n });
        const { status, body } = await complete({});
        expect([status, body.usage.output_tokens, body.cost_usd]).toEqual([200, null, null]);
        expect(await openRuns()).toBe(0);
      },
    );

    it.each([
      [401, 503, 'credential_unavailable'],
      [529, 503, 'upstream_overloaded'],
      [500, 502, 'upstream_error'],
    ])('an upstream %i is a %i %s, and nothing of it leaks', async (upstream, status, code) => {
      service.model.script = () => ({ status: upstream });
      const answer = await complete({});
      expect([answer.status, answer.body.error.code]).toEqual([status, code]);
      expect(answer.text).not.toContain('scripted failure');
      expect(answer.text).not.toContain('sk-ant');
    });

    it('tells a stream that breaks off with an error event', async () => {
      service.model.script = () => ({ cutAfterChunks: 2, chunkDelayMs: 50 });
      const events = eventsOf((await complete({ stream: true })).text);
      expect(events.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_error' } });
      expect(events.filter(({ type }) => type === 'done')).toHaveLength(0);
    });
  });

  it('every run of this file has exactly one outcome', async () => {
    expect(await openRuns()).toBe(0);
    expect(keyId).toMatch(/^key_/);
  });
});
