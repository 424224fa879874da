import { answering, ended, ScriptedExecutor, waited } from '../support/scripted-executor.js';
import { call, TaskInstallation, type TaskProcess, until } from '../support/task-installation.js';
import { eventsOf } from '../support/test-service.js';

describe('tasks over HTTP', () => {
  let installation: TaskInstallation;
  let server: TaskProcess;
  let executor: ScriptedExecutor;
  let key: string;

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    executor = new ScriptedExecutor();
    server = await installation.startProcess({}, executor);
    ({ key } = await installation.key(server));
  });
  beforeEach(() => (executor.script = answering('First paragraph.\n\nSecond one.')));
  afterAll(() => installation.stop());

  const post = (body: object, path = '/v1/tasks', headers = {}) =>
    call(server, key, 'POST', path, { body, headers });
  const get = (path: string, headers = {}) => call(server, key, 'GET', path, { headers });

  it('are accepted, done, and shown with what happened', async () => {
    const accepted = await post({ description: 'Say it.', metadata: { ticket: 'A-17' }, model: 'haiku' });
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({
      id: expect.stringMatching(/^task_[0-9a-f]{32}$/),
      object: 'task',
      description: 'Say it.',
      metadata: { ticket: 'A-17' },
      effective_policy: { network: 'none', timeout_seconds: 600, max_cost_usd: 10 },
    });
    expect(accepted.headers.get('location')).toBe(`/v1/tasks/${accepted.body.id}`);
    const done = await until(async () => {
      const { body } = await get(`/v1/tasks/${accepted.body.id}`);
      return body.finished_at && body;
    });
    expect(done).toMatchObject({
      status: 'succeeded',
      model: 'claude-haiku-5-5',
      started_at: expect.any(String),
      result: { summary: 'First paragraph.', output: 'First paragraph.\n\nSecond one.' },
      error: null,
      queue_position: null,
      denials: [],
      artifacts: [],
      timing: { queue_ms: expect.any(Number), total_ms: expect.any(Number) },
    });
    expect(done.execution_log.map(({ type, seq }: any) => [type, seq])).toEqual([
      ['queued', 1],
      ['started', 2],
      ['result', 4],
    ]);
    const left = await installation.sql.query('SELECT * FROM task_inputs');
    expect(left.rows).toEqual([]);
    expect((await installation.sql.query('SELECT * FROM pgboss.job')).rows).toEqual([]);
  });

  async function finished(id: string): Promise<any> {
    return until(async () => {
      const { body } = await get(`/v1/tasks/${id}`);
      return body.finished_at && body;
    });
  }

  describe('that somebody waits for', () => {
    it.each([
      ['POST /v1/tasks?wait=true', '/v1/tasks?wait=true', {}],
      ['Prefer: wait=30', '/v1/tasks', { prefer: 'respond-async, wait=30' }],
      ['POST /v1/task', '/v1/task', {}],
    ])('are answered when they have ended: %s', async (_, path, headers) => {
      executor.script = answering('done', 300);
      const answer = await post({ description: 'x' }, path, headers);
      expect([answer.status, answer.body.status]).toEqual([200, 'succeeded']);
    });

    it('are answered with 202 when they take longer, and go on', async () => {
      executor.script = answering('done', 2_000);
      const answer = await post({ description: 'x' }, '/v1/tasks', { prefer: 'wait=1' });
      expect(answer.status).toBe(202);
      expect(['queued', 'running']).toContain(answer.body.status);
      expect((await finished(answer.body.id)).status).toBe('succeeded');
    });

    it('go on when their caller goes away', async () => {
      executor.script = answering('done', 700);
      const gone = new AbortController();
      const waiting = fetch(`${server.url}/v1/task`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ description: 'gone', metadata: { who: 'gone' } }),
        signal: gone.signal,
      }).catch(() => undefined);
      const id = await until(async () => {
        const { body } = await get('/v1/tasks?status=running');
        return body.data.find(({ metadata }: any) => metadata?.who === 'gone')?.id;
      });
      gone.abort();
      await waiting;
      expect((await finished(id)).status).toBe('succeeded');
    });
  });

  describe('their events', () => {
    const told = (text: string) => eventsOf(text).map(({ type, seq }) => [type, seq]);

    /** Two pieces of text half a second apart, with tools before. */
    const busy: typeof executor.script = async function* (spec, signal) {
      yield { type: 'started', model: spec.model };
      yield { type: 'thinking', content: 'hm' };
      yield { type: 'tool_call', toolUseId: 't1', tool: 'Read', arguments: { file_path: 'a\u0000b\ud800' } };
      yield { type: 'tool_result', toolUseId: 't1', tool: 'Read', status: 'ok', result: 'x'.repeat(50_000) };
      yield { type: 'agent_spawn', toolUseId: 't2', spawned: 'auditor', reason: 'why' };
      yield { type: 'skill_invoke', toolUseId: 't3', skill: 'changelog', input: 'all', agent: 'auditor' };
      yield {
        ...{ type: 'permission_denied', toolUseId: 't4', tool: 'Bash' },
        ...{ item: 'tool:Bash', rule: 'tier:free', message: 'no' },
      };
      for (const content of ['a', 'b', 'c']) yield { type: 'token', content };
      await waited(500, signal);
      yield { type: 'token', content: 'd' };
      yield { type: 'retry', attempt: 1, upstreamStatus: 529 };
      yield ended({ status: 'succeeded', text: 'abcd\u0000' });
    };
    const all = [
      'queued started thinking tool_call tool_result agent_spawn skill_invoke permission_denied',
      'token token retry result',
    ].flatMap((line) => line.split(' '));

    it('come in order, numbered without a gap, with what happened in them', async () => {
      executor.script = busy;
      const { body } = await post({ description: 'x' });
      const stream = await get(`/v1/tasks/${body.id}/events`);
      expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const events = eventsOf(stream.text);
      expect(events.map(({ type }) => type)).toEqual(all);
      expect(events.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
      expect(stream.text).toContain(`id: 2\nevent: started\ndata: {`);
      const task = { task_id: body.id, timestamp: expect.stringMatching(/^2.*Z$/) };
      const expected: Record<number, object> = {
        0: { type: 'queued', seq: 1, position: 1, ...task },
        3: {
          ...{ type: 'tool_call', seq: 4, tool_use_id: 't1', tool: 'Read', ...task },
          arguments: { file_path: 'a\ufffdb\ufffd' },
        },
        5: { type: 'agent_spawn', seq: 6, tool_use_id: 't2', agent: 'auditor', reason: 'why', ...task },
        6: {
          ...{ type: 'skill_invoke', seq: 7, tool_use_id: 't3', skill: 'changelog', input: 'all' },
          ...{ agent: 'auditor', ...task },
        },
        7: {
          ...{ type: 'permission_denied', seq: 8, tool_use_id: 't4', tool: 'Bash', item: 'tool:Bash' },
          ...{ rule: 'tier:free', message: 'no', ...task },
        },
        8: { type: 'token', seq: 9, content: 'abc', ...task },
        10: { type: 'retry', seq: 11, attempt: 1, upstream_status: 529, ...task },
      };
      for (const [index, event] of Object.entries(expected)) expect(events[Number(index)]).toEqual(event);
      expect(events[4].result).toMatch(/^x{16384}… \[33616 characters more\]$/);
      expect(events.at(-1)).toMatchObject({
        ...{ status: 'succeeded', summary: 'abcd\ufffd', result: { output: 'abcd\ufffd' } },
        ...{ error: null, artifacts: [], usage: expect.anything(), cost_usd: expect.anything() },
      });
      const shown = await finished(body.id);
      expect(shown.denials).toEqual([{ tool: 'Bash', item: 'tool:Bash', rule: 'tier:free', message: 'no' }]);
      expect(shown.execution_log.map(({ type }: any) => type)).toEqual(
        all.filter((type) => type !== 'token' && type !== 'thinking'),
      );
      const audited = await installation.sql.query(
        "SELECT type, target, diff FROM audit_events WHERE type LIKE 't%' AND (diff ->> 'task' = $1 OR target ->> 'id' = $1) ORDER BY seq",
        [body.id],
      );
      expect(audited.rows.map(({ type, target }) => [type, target.kind, target.id])).toEqual([
        ['task.created', 'task', body.id],
        ['tool.called', 'tool', 'Read'],
        ['tool.called', 'agent', 'auditor'],
        ['tool.called', 'skill', 'changelog'],
        ['tool.denied', 'tool', 'Bash'],
        ['task.ended', 'task', body.id],
      ]);
    });

    it('go on after the last one that was seen, without gap or repeat', async () => {
      executor.script = busy;
      const { body } = await post({ description: 'x' });
      await until(async () => (await get(`/v1/tasks/${body.id}`)).body.execution_log.length > 5);
      const late = get(`/v1/tasks/${body.id}/events?after=9`);
      const resumed = get(`/v1/tasks/${body.id}/events?after=0`, { 'last-event-id': '5' });
      expect(told((await late).text)).toEqual(all.map((type, index) => [type, index + 1]).slice(9));
      expect(told((await resumed).text)).toEqual(all.map((type, index) => [type, index + 1]).slice(5));
      expect((await get(`/v1/tasks/${body.id}/events?after=12`)).text).toBe('');
      expect((await get(`/v1/tasks/${body.id}/events?after=999`)).text).toBe('');
    });

    it('come as pages of JSON to who asks for that', async () => {
      executor.script = busy;
      const { body } = await post({ description: 'x' }, '/v1/task');
      const json = { accept: 'application/json' };
      const first = await get(`/v1/tasks/${body.id}/events?limit=7`, json);
      expect(first.body).toMatchObject({ has_more: true, next_cursor: '7' });
      const rest = await get(`/v1/tasks/${body.id}/events?limit=7&cursor=${first.body.next_cursor}`, json);
      expect(rest.body).toMatchObject({ has_more: false, next_cursor: null });
      expect([...first.body.data, ...rest.body.data].map(({ type }) => type)).toEqual(all);
    });
  });

  describe('that are cancelled', () => {
    it('end within the answer, keep what they had said, and cannot be cancelled again', async () => {
      executor.script = async function* (spec, signal) {
        yield { type: 'started', model: spec.model };
        yield { type: 'token', content: 'half' };
        await waited(30_000, signal);
        yield ended({ status: 'cancelled', text: 'half' });
      };
      const { body } = await post({ description: 'x' });
      await until(async () => (await get(`/v1/tasks/${body.id}`)).body.started_at);
      const cancelled = await call(server, key, 'POST', `/v1/tasks/${body.id}/cancel`);
      expect(cancelled.status).toBe(200);
      expect(cancelled.body).toMatchObject({ status: 'cancelled', error: null, result: { output: 'half' } });
      const again = await call(server, key, 'POST', `/v1/tasks/${body.id}/cancel`);
      expect([again.status, again.body.error.code, again.body.error.details]).toEqual([
        409,
        'conflict',
        { status: 'cancelled' },
      ]);
    });

    it('end at once while they wait', async () => {
      const free = await installation.key(server, 'free');
      executor.script = answering('x', 3_000);
      const submit = () =>
        call(server, free.key, 'POST', '/v1/tasks', { body: { description: 'x' } }).then(
          ({ body }) => body.id,
        );
      const [first, second] = [await submit(), await submit()];
      await until(async () => (await call(server, free.key, 'GET', `/v1/tasks/${first}`)).body.started_at);
      expect((await call(server, free.key, 'GET', `/v1/tasks/${second}`)).body).toMatchObject({
        ...{ status: 'queued', queue_position: 1, started_at: null },
      });
      const { body } = await call(server, free.key, 'POST', `/v1/tasks/${second}/cancel`);
      expect(body).toMatchObject({ status: 'cancelled', started_at: null, queue_position: null });
      expect(body.execution_log.map(({ type, seq }: any) => [type, seq])).toEqual([
        ['queued', 1],
        ['result', 2],
      ]);
      await call(server, free.key, 'POST', `/v1/tasks/${first}/cancel`);
      await until(async () => {
        const { rows } = await installation.sql.query('SELECT * FROM pgboss.job');
        return rows.length === 0;
      });
    });
  });

  it('fail with what the run failed with, and keep its partial result', async () => {
    executor.script = async function* () {
      yield ended({ status: 'failed', code: 'max_turns', cause: 'a secret path', text: 'so far' } as never);
    };
    const { body } = await post({ description: 'x' }, '/v1/task');
    expect(body).toMatchObject({
      ...{ status: 'failed', result: { output: 'so far' } },
      error: { code: 'max_turns', type: 'invalid_request_error', details: {} },
    });
    expect(JSON.stringify(body)).not.toContain('secret path');
    executor.script = async function* () {
      yield ended({ status: 'timed_out' });
    };
    expect((await post({ description: 'x' }, '/v1/task')).body).toMatchObject({
      ...{ status: 'timed_out', result: null, error: { code: 'deadline_exceeded' } },
    });
  });

  it('are the same task for the same idempotency key', async () => {
    const headers = { 'idempotency-key': 'once-1' };
    const first = await post({ description: 'once' }, '/v1/tasks', headers);
    const again = await post({ description: 'once' }, '/v1/tasks?wait=true', headers);
    expect([again.status, again.body.id]).toEqual([200, first.body.id]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await post({ description: 'other' }, '/v1/tasks', headers)).status).toBe(422);
  });

  it('are listed newest first, page by page, for their project only', async () => {
    const { key: mine } = await installation.key(server, 'enterprise', 'listing');
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      const { body } = await call(server, mine, 'POST', '/v1/tasks', { body: { description: `${count}` } });
      ids.unshift(body.id);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await call(server, mine, 'GET', `/v1/tasks?limit=2${cursor}`);
      seen.push(...body.data.map(({ id }: any) => id));
      expect(body.data[0].execution_log).toBeUndefined();
      expect(body.has_more).toBe(body.next_cursor !== null);
      cursor = body.next_cursor && `&cursor=${body.next_cursor}`;
    } while (cursor);
    expect(seen).toEqual(ids);
    const failed = await call(server, mine, 'GET', '/v1/tasks?status=failed');
    expect(failed.body).toEqual({ data: [], has_more: false, next_cursor: null });
  });

  it('are not there for another project', async () => {
    const { body } = await post({ description: 'mine' });
    const { key: other } = await installation.key(server, 'enterprise', 'other-app');
    const strip = ({ status, body: answer }: any) => ({ status, ...answer, request_id: null });
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/cancel'],
      ['GET', '/events'],
    ] as const) {
      const theirs = await call(server, other, method, `/v1/tasks/${body.id}${path}`);
      const nobodys = await call(server, other, method, `/v1/tasks/task_${'0'.repeat(32)}${path}`);
      expect(theirs.status).toBe(404);
      expect(strip(theirs)).toEqual(strip(nobodys));
    }
    expect((await finished(body.id)).status).toBe('succeeded');
  });
});
