import { Transactions } from '@app/database';
import { ModelStandIn } from '../support/model-stand-in.js';
import { frame, OPCODE, RawStream, textFrame } from '../support/raw-stream.js';
import { StreamClient, textOf } from '../support/stream-client.js';
import { startTestService, type TestService } from '../support/test-service.js';
import { until } from '../support/task-api.js';

const SLOWLY = () => ({ text: 'word '.repeat(200), chunks: 200, chunkDelayMs: 50 });

/** The same run, limits and log as POST /v1/completions, over a socket. */
describe('completions over a socket', () => {
  let service: TestService;
  let key: string;
  let client: StreamClient;

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '8', POOL: 'on' });
    key = (await service.key()).key;
  });
  beforeEach(async () => {
    service.model.reset();
    client = await StreamClient.open(service.url, key);
  });
  afterEach(async () => {
    client.close();
    await until(
      'no run is open',
      async () => (await query('SELECT 1 FROM runs WHERE outcome IS NULL')).length === 0,
    );
  });
  afterAll(() => service.stop());

  const query = (sql: string, values: unknown[] = []) =>
    service.app.get(Transactions).manager.query<any[]>(sql, values);
  const asked = (id: string, more: object = {}) => ({
    type: 'completion',
    id,
    prompt: 'x',
    model: 'haiku',
    ...more,
  });
  const working = (id: string, at = client) => at.until((told) => told.id === id && told.type === 'token');

  it('end with what REST answers, and leave the same rows in the ledger and the log', async () => {
    const events = await client.request(asked('a', { metadata: { ticket: 'A-17' } }));
    const { body } = await service.post(
      '/v1/completions',
      { prompt: 'x', model: 'haiku', metadata: { ticket: 'A-17' } },
      key,
    );
    const done = events.at(-1);
    const { choices, content, id, created: _, timing: _timing, ...same } = body;
    expect(done).toMatchObject({ ...same, finish_reason: choices[0].finish_reason });
    expect([textOf(events), done.content, done.seq]).toEqual([content, undefined, events.length]);
    const rowsOf = async (run: string) => [
      ...(await query(
        'SELECT kind, outcome, finish_reason, model, cost_nano, project, key_id, metadata FROM runs WHERE id = $1',
        [run],
      )),
      ...(await query('SELECT model, calls, input_tokens, output_tokens FROM run_usage WHERE run_id = $1', [
        run,
      ])),
      ...(await query(
        `SELECT type, project, actor, outcome FROM audit_events WHERE target->>'id' = $1 ORDER BY seq`,
        [run],
      )),
    ];
    expect(await rowsOf(done.run_id)).toEqual(await rowsOf(id));
    expect(await rowsOf(id)).toHaveLength(4);
  });

  it('known by the first frame: what is sent right behind it is run, side by side', async () => {
    service.model.script = ({ body }) => (JSON.stringify(body.messages).includes('slow') ? SLOWLY() : {});
    const { port } = new URL(service.url);
    const frames = [
      { type: 'auth', api_key: key },
      asked('a', { prompt: 'slow' }),
      asked('b'),
      { type: 'ping', id: 'p' },
      { type: 'cancel', id: 'a' },
    ];
    const stream = await RawStream.open(Number(port), undefined, { behind: frames.map(textFrame) });
    const ends = () => stream.told.filter(({ type }) => type === 'done');
    await until('both have ended', () => ends().length === 2);
    expect(stream.told[0]).toMatchObject({ type: 'ready', project: 'test-app', tier: 'enterprise' });
    expect(
      ends()
        .map(({ id, finish_reason: reason }) => [id, reason])
        .sort(),
    ).toEqual([
      ['a', 'cancelled'],
      ['b', 'stop'],
    ]);
    stream.wire.destroy();
  });

  it('a request without an id gets one, which all its events carry', async () => {
    const { id: _, ...nameless } = asked('x');
    client.send(nameless);
    const done = await client.until(({ type }) => type === 'done');
    expect(done.id).toMatch(/^req_/);
    expect(client.of(done.id).map(({ seq }) => seq)).toEqual(
      client.frames.slice(1).map((_event, index) => index + 1),
    );
  });

  it('a second request under an id that is in use is refused, and the first is not hurt', async () => {
    service.model.script = () => ({ text: 'one two three', chunks: 3, chunkDelayMs: 200 });
    client.send(asked('a'));
    await working('a');
    client.send(asked('a'));
    const { error, ...refusal } = await client.until(({ type }) => type === 'error');
    expect([error.code, error.param, error.details, 'id' in refusal]).toEqual([
      'conflict',
      'id',
      { id: 'a' },
      false,
    ]);
    expect(textOf(await client.ended('a'))).toBe('one two three');
    expect((await client.request(asked('a'))).at(-1).type).toBeDefined();
  });

  it('cancelled: done with what was said so far, its cost not known, and the model is no longer asked', async () => {
    service.model.script = SLOWLY;
    client.send(asked('a'));
    await working('a');
    client.send({ type: 'cancel', id: 'a' });
    const events = await client.ended('a');
    expect(events.at(-1)).toMatchObject({
      type: 'done',
      finish_reason: 'cancelled',
      // The model may have said more than was heard: nobody knows what it charges.
      usage: { input_tokens: null, output_tokens: null },
      cost_usd: null,
      warnings: [expect.stringContaining('counts as reserved')],
    });
    expect(textOf(events).length).toBeLessThan(1000);
    await until('it was cut', () => service.model.aborted === 1);
    expect(await query('SELECT outcome FROM runs WHERE id = $1', [events.at(-1).run_id])).toEqual([
      { outcome: 'cancelled' },
    ]);
    const [late] = (await client.request({ type: 'cancel', id: 'b' })) as any[];
    expect(late.error).toMatchObject({ code: 'not_found', param: 'id' });
  });

  it('cancelled while it waits for a place: an error, and nothing was asked', async () => {
    service.model.script = SLOWLY;
    const { key: own } = await service.key('enterprise', 'crowd');
    const crowd = await StreamClient.open(service.url, own);
    for (let each = 0; each < 9; each += 1) crowd.send(asked(`c${each}`));
    await until('eight work', () => service.model.journal.length === 8);
    crowd.send({ type: 'cancel', id: 'c8' });
    expect(await crowd.ended('c8')).toEqual([
      expect.objectContaining({
        type: 'error',
        seq: 1,
        error: expect.objectContaining({ code: 'cancelled' }),
      }),
    ]);
    crowd.close();
    await until('all are cut', () => service.model.aborted === 8);
    expect(service.model.journal).toHaveLength(8);
  });

  it.each([
    ['is lost', ({ wire }: RawStream) => wire.resetAndDestroy()],
    ['is closed by its client', ({ wire }: RawStream) => wire.end(frame(OPCODE.close))],
    ['is closed by a client that stays connected', (stream: RawStream) => stream.write(frame(OPCODE.close))],
    ['is half closed', ({ wire }: RawStream) => wire.end()],
    ['breaks the protocol', (stream: RawStream) => stream.write(frame(3))],
  ])('cut at once when their socket %s', async (_, end) => {
    service.model.script = SLOWLY;
    const going = await RawStream.open(Number(new URL(service.url).port), key);
    for (const id of ['a', 'b']) going.write(textFrame(asked(id)));
    const speaks = (id: string) => going.told.some((told) => told.id === id && told.type === 'token');
    await until('both speak', () => speaks('a') && speaks('b'));
    const runs = await query('SELECT id FROM runs WHERE outcome IS NULL');
    end(going);
    await until('both are cut', () => service.model.aborted === 2, Boolean, 5_000);
    const outcomes = () => query('SELECT outcome FROM runs WHERE id = ANY($1)', [runs.map(({ id }) => id)]);
    const isBooked = (rows: any[]) => rows.every(({ outcome }) => outcome === 'cancelled');
    await until('both are booked', outcomes, isBooked, 5_000);
    expect(runs).toHaveLength(2);
    going.wire.destroy();
  });

  it('refused as over REST: the same error for the same request', async () => {
    const { key: free } = await service.key('free', 'small');
    const small = await StreamClient.open(service.url, free);
    const bodies: Record<string, unknown>[] = [
      { prompt: '' },
      { prompt: 5 },
      { prompt: 'x', nonsense: 1 },
      { prompt: 'x', max_tokens: -1 },
      { prompt: 'x', model: 'gpt-4' },
      { prompt: 'x', model: 'haiku', timeout_seconds: 3000 },
      { prompt: 'x', model: 'haiku', max_cost_usd: 50 },
      { prompt: '\u200b' },
    ];
    for (const [index, body] of bodies.entries()) {
      const rest = await service.post('/v1/completions', body, free);
      const [event] = await small.request({ type: 'completion', id: `r${index}`, ...body });
      expect(event).toEqual({
        ...{ type: 'error', id: `r${index}`, seq: 1, timestamp: expect.any(String) },
        ...{ error: rest.body.error, request_id: expect.stringMatching(/^req_/) },
      });
    }
    const [unstreamed] = await small.request(asked('s', { stream: false }));
    expect(unstreamed.error).toMatchObject({ code: 'invalid_request', param: 'stream' });
    // A timeout and a cost beyond the tier, each by both doors.
    const denied = await query(
      `SELECT outcome FROM audit_events WHERE type = 'run.refused' AND project = 'small'`,
    );
    expect(denied.map(({ outcome }) => outcome)).toEqual(Array(4).fill('denied'));
    small.close();
  });

  it('as many at once as the tier says, whichever door they came by', async () => {
    service.model.script = SLOWLY;
    const { key: free } = await service.key('free', 'single');
    const single = await StreamClient.open(service.url, free);
    single.send(asked('a'));
    await working('a', single);
    const [event] = await single.request(asked('b'));
    expect(event.error).toMatchObject({ type: 'rate_limit_error', code: 'concurrency_limited' });
    expect((await service.post('/v1/completions', { prompt: 'x' }, free)).body.error).toEqual(event.error);
    single.close();
  });

  it('a conversation reaches the model as its turns', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'My name is Ada.' },
      { role: 'assistant', content: 'Hello Ada!' },
      { role: 'user', content: [{ type: 'text', text: 'What is my name?' }] },
    ];
    for (const type of ['chat', 'completion']) {
      const events = await client.request({ type, id: type, messages, model: 'haiku' });
      expect(events.at(-1)).toMatchObject({ type: 'done', finish_reason: 'stop' });
    }
    for (const { body } of service.model.journal) {
      const roles = body.messages.map(({ role }: any) => role).filter((role: string) => role !== 'system');
      expect(roles).toEqual(['user', 'assistant', 'user']);
      expect(JSON.stringify(body.system)).toContain('Be brief.');
    }
    expect(ModelStandIn.promptOf(service.model.journal[0])).toEqual(['My name is Ada.', 'What is my name?']);
    const [error] = await client.request({ type: 'chat', id: 'e', messages: [{ role: 'user', content: 5 }] });
    expect(error.error).toMatchObject({ code: 'invalid_request', param: 'messages.0.content' });
  });

  it('the same idempotency key: one run, told again on any socket; another body is a mismatch; a cancelled one is free', async () => {
    const again = { idempotency_key: 'once' };
    const first = (await client.request(asked('a', again))).at(-1);
    const other = await StreamClient.open(service.url, key);
    const replay = await other.request(asked('b', again));
    expect(replay.at(-1)).toMatchObject({ type: 'done', run_id: first.run_id, cost_usd: first.cost_usd });
    expect(textOf(replay)).toBe('Hello from the stand-in');
    expect(service.model.journal).toHaveLength(1);
    const [mismatch] = await other.request(asked('c', { ...again, prompt: 'y' }));
    expect(mismatch.error.type).toBe('idempotency_error');
    service.model.script = SLOWLY;
    other.send(asked('d', { idempotency_key: 'cut' }));
    await working('d', other);
    const [flying] = await client.request(asked('d', { idempotency_key: 'cut' }));
    expect(flying.error.code).toBe('idempotency_in_flight');
    other.send({ type: 'cancel', id: 'd' });
    await other.ended('d');
    service.model.script = () => ({});
    expect((await other.request(asked('e', { idempotency_key: 'cut' }))).at(-1).finish_reason).toBe('stop');
    other.close();
  });
});
