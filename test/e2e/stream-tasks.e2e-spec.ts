import { Transactions } from '@app/database';
import { plays, sends, turns, uses } from '../support/scripted-turns.js';
import { StreamClient, textOf } from '../support/stream-client.js';
import { TaskApi, until } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(60_000);

const WORDS = 'word '.repeat(40);
const PARTS = {
  talk: [
    {
      text: WORDS,
      chunks: 40,
      chunkDelayMs: 30,
      ...uses('Bash', { command: 'sleep 0.3; echo kept > kept.txt' }),
    },
    { text: 'The end.', chunks: 4, chunkDelayMs: 30 },
  ],
  ask: [{ text: WORDS, chunks: 40, chunkDelayMs: 20 }],
  short: [{ text: 'Done.' }],
};
const numbered = (events: any[]) => events.map((_, index) => index + 1);
const without = (events: any[]) => events.map(({ id: _, ...event }) => event);

/** Tasks over a socket, with the real CLI in its box; their log is the one that REST reads. */
describe('tasks over a socket', () => {
  let service: TestService;
  let key: string;
  let rest: TaskApi;
  const opened: StreamClient[] = [];

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '8' });
    key = (await service.key()).key;
    rest = new TaskApi(service.url, key);
  });
  beforeEach(() => {
    service.model.reset();
    service.model.script = plays(PARTS);
  });
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });
  afterAll(() => service.stop());

  const query = (sql: string, values: unknown[] = []) =>
    service.app.get(Transactions).manager.query<any[]>(sql, values);
  async function open(as = key): Promise<StreamClient> {
    const client = await StreamClient.open(service.url, as);
    opened.push(client);
    return client;
  }
  const task = (id: string, part: keyof typeof PARTS, more: object = {}) => ({
    ...{ type: 'task', id, description: `${part}: now`, model: 'haiku' },
    ...more,
  });
  const idOf = async (client: StreamClient, id: string): Promise<string> =>
    (await client.until((told) => told.id === id && told.task_id !== undefined)).task_id;
  const speaks = (client: StreamClient, id: string) =>
    client.until((told) => told.id === id && told.type === 'token');

  it('a task and three completions on one socket: each in order, without gap, under its own id', async () => {
    const client = await open();
    const ids = ['a', 'b', 'c'];
    client.send(task('t', 'talk'));
    for (const id of ids) client.send({ type: 'completion', id, prompt: 'ask: now', model: 'haiku' });
    const all = await Promise.all(['t', ...ids].map((id) => client.ended(id)));
    for (const events of all) {
      expect(events.map(({ seq }) => seq)).toEqual(numbered(events));
      expect(events.map(({ timestamp }) => timestamp)).toEqual(
        events.map(({ timestamp }) => timestamp).sort(),
      );
    }
    const [events, ...answers] = all as [any[], ...any[][]];
    expect(textOf(events)).toBe(`${WORDS}The end.`);
    expect(events.at(-1)).toMatchObject({
      type: 'result',
      status: 'succeeded',
      artifacts: [expect.objectContaining({ path: 'kept.txt' })],
    });
    for (const answer of answers) expect([textOf(answer), answer.at(-1).type]).toEqual([WORDS, 'done']);
    // Not one after the other: their pieces are mixed.
    const turnsTaken = client.frames.filter(({ id }, index) => id !== client.frames[index - 1]?.id);
    expect(turnsTaken.length).toBeGreaterThan(10);
    expect(without(events)).toEqual(await rest.events(events[0].task_id));
  });

  it('a connection that is lost in the middle, twice: what follows after the last number is all the rest', async () => {
    const heard: any[] = [];
    let client = await open();
    client.send(task('t', 'talk'));
    const id = await idOf(client, 't');
    for (const often of [5, 12]) {
      await until('some came', () => client.of('t').length >= often);
      client.close();
      await client.end();
      heard.push(...client.of('t'));
      client = await open();
      client.send({ type: 'subscribe', id: 't', task_id: id, after: heard.at(-1).seq });
    }
    heard.push(...(await client.ended('t')));
    expect(heard.map(({ seq }) => seq)).toEqual(numbered(heard));
    expect(without(heard)).toEqual(await rest.events(id));
    expect(textOf(heard)).toBe(`${WORDS}The end.`);
    const runs = await query('SELECT outcome FROM runs r JOIN tasks t ON t.run_id = r.id WHERE t.id = $1', [
      id,
    ]);
    expect(runs).toEqual([{ outcome: 'succeeded' }]);
  });

  it('two readers are told the same; one that unsubscribes hears no more, and its task goes on', async () => {
    const [owner, reader] = [await open(), await open()];
    owner.send(task('t', 'talk'));
    const id = await idOf(owner, 't');
    reader.send({ type: 'subscribe', task_id: id });
    reader.send({ type: 'subscribe', id: 'leaves', task_id: id });
    await speaks(reader, 'leaves');
    reader.send({ type: 'unsubscribe', id: 'leaves' });
    expect(await reader.until(({ type }) => type === 'ack')).toEqual({
      type: 'ack',
      of: 'unsubscribe',
      id: 'leaves',
      task_id: id,
    });
    const heard = reader.of('leaves').length;
    const told = without(await owner.ended('t'));
    // Without an id of its own a subscription goes by that of its task.
    expect(without(await reader.ended(id))).toEqual(told);
    expect([heard < told.length, reader.of('leaves').length]).toEqual([true, heard]);
    reader.send({ type: 'unsubscribe', id: 'leaves' });
    expect((await reader.until(({ type }) => type === 'error')).error.code).toBe('not_found');
  });

  it('cancelled by the id of its request, by its own, and by another socket', async () => {
    const [one, other] = [await open(), await open()];
    for (const [id, cancel] of [
      ['by-id', () => one.send({ type: 'cancel', id: 'by-id' })],
      ['by-task', (taskId: string) => one.send({ type: 'cancel', task_id: taskId })],
      ['by-other', (taskId: string) => other.send({ type: 'cancel', id: 'c', task_id: taskId })],
    ] as const) {
      one.send(task(id, 'talk'));
      const taskId = await idOf(one, id);
      await speaks(one, id);
      cancel(taskId);
      const result = await one.until((told) => told.id === id && told.type === 'result');
      expect(result).toMatchObject({ status: 'cancelled', task_id: taskId });
      const told = await (id === 'by-other' ? other : one).until(
        (ack) => ack.type === 'ack' && ack.task_id === taskId,
      );
      expect(told).toMatchObject({ of: 'cancel' });
      expect((await rest.show(taskId)).status).toBe('cancelled');
    }
    const audit = await query(
      `SELECT target->>'id' AS id FROM audit_events WHERE type = 'task.cancel_requested'`,
    );
    expect(audit).toHaveLength(3);
  });

  it('cancelled in the very packet that asks for it: it ends as cancelled and never runs on', async () => {
    const client = await open();
    client.send(task('t', 'talk'));
    client.send({ type: 'cancel', id: 't' });
    const result = await client.until(({ type }) => type === 'result');
    expect(result).toMatchObject({ id: 't', status: 'cancelled' });
    expect((await rest.show(result.task_id)).status).toBe('cancelled');
    client.send(task('t', 'short'));
    client.send({ type: 'unsubscribe', id: 't' });
    const { task_id: id } = await client.until(({ of }) => of === 'unsubscribe');
    expect((await rest.ended(id)).status).toBe('succeeded');
  });

  it('cancelled when it has ended: 409 with how it ended; its request is over and its id free', async () => {
    const client = await open();
    const { task_id: id } = (await client.request(task('t', 'short'))).at(-1);
    const [late] = (await client.request({ type: 'cancel', id: 'c', task_id: id })) as any[];
    expect(late.error).toMatchObject({ code: 'conflict', details: { status: 'succeeded' } });
    client.send({ type: 'cancel', id: 't' });
    expect((await client.until(({ error }) => error?.code === 'not_found')).error.param).toBe('id');
    expect((await client.request(task('t2', 'short'))).at(-1).status).toBe('succeeded');
  });

  it('left running when their socket is lost', async () => {
    const client = await open();
    client.send(task('t', 'talk'));
    const id = await idOf(client, 't');
    await speaks(client, 't');
    client.close();
    expect((await rest.ended(id)).status).toBe('succeeded');
    expect(service.model.aborted).toBe(0);
  });

  it('the same idempotency key, over a socket and over REST: one task, whose events are told again', async () => {
    const client = await open();
    const first = await client.request(task('a', 'short', { idempotency_key: 'one' }));
    const again = await client.request(task('b', 'short', { idempotency_key: 'one' }));
    expect(without(again)).toEqual(without(first));
    const body = { description: 'short: now', model: 'haiku' };
    expect(await rest.submit(body, { 'idempotency-key': 'one' })).toBe(first[0].task_id);
    const [other] = await client.request(task('c', 'talk', { idempotency_key: 'one' }));
    expect(other.error.type).toBe('idempotency_error');
  });

  it('tools, agents and skills are told as they happen, a refused tool with its rule, and the result has a summary', async () => {
    service.model.script = turns(
      [
        { thinking: 'Hm.', text: 'Looking.', ...uses('Grep', { pattern: 'needle' }) },
        sends('security-auditor'),
        uses('Skill', { skill: 'changelog', args: 'v2' }),
        uses('Bash', { command: 'true' }),
        { text: 'Found it.\n\nAnd more.' },
      ],
      [uses('Read', { file_path: '/workspace/notes.txt' }), { text: 'bad' }],
    );
    const client = await open();
    const events = await client.request({
      ...{
        type: 'agentic_task',
        id: 't',
        description: 'look',
        model: 'sonnet',
        allow_tools: ['Grep', 'Read'],
      },
      ...{ allow_agents: ['security-auditor'], allow_skills: ['changelog'] },
      files: [{ path: 'notes.txt', content: 'a needle\n' }],
    });
    const of = (type: string) => events.filter((event) => event.type === type);
    expect(of('tool_call')[0]).toMatchObject({
      tool: 'Grep',
      arguments: { pattern: 'needle' },
      tool_use_id: expect.any(String),
    });
    const { tool_use_id: call } = of('tool_call')[0];
    expect(of('tool_result').find((event) => event.tool_use_id === call)).toMatchObject({
      tool: 'Grep',
      status: 'ok',
    });
    expect(of('agent_spawn')).toEqual([
      expect.objectContaining({ agent: 'security-auditor', reason: expect.any(String) }),
    ]);
    expect(of('skill_invoke')).toEqual([expect.objectContaining({ skill: 'changelog', input: 'v2' })]);
    expect(of('permission_denied')).toEqual([
      expect.objectContaining({ tool: 'Bash', rule: expect.any(String) }),
    ]);
    expect(
      of('thinking')
        .map(({ content }) => content)
        .join(''),
    ).toBe('Hm.');
    expect(events.at(-1)).toMatchObject({ type: 'result', status: 'succeeded', summary: 'Found it.' });
    expect(without(events)).toEqual(await rest.events(events[0].task_id));
  });

  it('refused as over REST: the same error for the same request', async () => {
    const { key: free } = await service.key('free', 'small');
    const small = await open(free);
    const over = new TaskApi(service.url, free);
    const bodies: Record<string, unknown>[] = [
      {},
      { description: '' },
      { description: 'x', stream: true },
      { description: 'x', allow_tools: ['Bash'] },
      { description: 'x', allow_tools: ['Baash'] },
      { description: 'x', allow_agents: ['security-auditor'], allow_skills: ['changelog'] },
      { description: 'x', timeout_seconds: 3000 },
      { description: 'x', files: [{ path: '../x', content: '' }] },
    ];
    for (const [index, body] of bodies.entries()) {
      const [{ error }] = (await small.request({ type: 'task', id: `r${index}`, ...body })) as any[];
      const { status, body: answer } = await over.post('/v1/tasks', body);
      expect([status, answer.error]).toEqual([expect.any(Number), error]);
    }
    expect(small.of('r3')[0].error).toMatchObject({
      code: 'permission_denied',
      details: { refusals: [expect.objectContaining({ item: 'tool:Bash' })] },
    });
    expect(await query(`SELECT 1 FROM tasks WHERE project = 'small'`)).toEqual([]);
  });
});
