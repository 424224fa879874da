import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { plays, uses } from '../support/scripted-turns.js';
import { TaskApi, until } from '../support/task-api.js';
import { eventsOf, startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(90_000);

const MEBIBYTE = 1024 * 1024;
const bash = (command: string) => uses('Bash', { command });
const PARTS = {
  short: [{ text: 'Done.' }],
  said: [{ text: 'Said.' }],
  talk: [
    { text: 'word '.repeat(60), chunks: 60, chunkDelayMs: 30, ...bash('sleep 0.5') },
    { text: 'The end.', chunks: 4, chunkDelayMs: 30 },
  ],
  race: [{ text: 'On and on and on.', chunks: 4, chunkDelayMs: 50 }],
};
const LARGE_EVENTS = 10_000;
const STALL_MS = 30_000;

/** Rows 38 to 42 of sandbox-security.md, section 5: those who ask for tasks and read them. */
describe('readers and callers of tasks that are slow, gone, back, late or many', () => {
  let service: TestService;
  let database: pg.Client;
  let user: TaskApi;
  /** Reads nothing of a log of 160 MB, while all else goes on. */
  let stalled: { socket: Socket; givenUpAt: Promise<number>; since: number; rssBefore: number };

  beforeAll(async () => {
    service = await startTestService({ MAX_RUNS: '8' });
    service.model.script = plays(PARTS);
    database = new pg.Client(service.databaseUrl);
    await database.connect();
    user = new TaskApi(service.url, (await service.key()).key);
    stalled = await stall();
  });
  afterAll(async () => {
    stalled?.socket.destroy();
    await database.end();
    await service.stop();
  });

  async function stall(): Promise<typeof stalled> {
    const id = await user.submit({ description: 'said: now' });
    const { seq: last } = (await user.ended(id)).execution_log.at(-1);
    await database.query(
      `INSERT INTO task_events (task_id, seq, type, at, data)
       SELECT $1, $2 + i, 'token', now(), jsonb_build_object('content', repeat('x', 16000))
         FROM generate_series(1, $3) i`,
      [id, last, LARGE_EVENTS],
    );
    const rssBefore = process.memoryUsage().rss;
    const { hostname, port } = new URL(service.url);
    let givenUpAt: Promise<number> | undefined;
    service.app.getHttpServer().on('connection', (each: Socket) => {
      if (each.remotePort !== socket.localPort) return;
      givenUpAt = new Promise((resolve) => each.on('close', () => resolve(Date.now())));
    });
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write(
      `GET /v1/tasks/${id}/events HTTP/1.1\r\nhost: ${hostname}\r\nx-api-key: ${user.key}\r\naccept: text/event-stream\r\n\r\n`,
    );
    socket.pause();
    await until('it is served', () => givenUpAt);
    return { socket, givenUpAt: givenUpAt as unknown as Promise<number>, since: Date.now(), rssBefore };
  }
  const results = async (id: string) =>
    (await database.query(`SELECT seq FROM task_events WHERE task_id = $1 AND type = 'result'`, [id])).rows
      .length;

  it('42: the same request 100 times at once is one task, for whoever asks', async () => {
    const ask = (description: string) =>
      user.post('/v1/tasks', { description, model: 'haiku' }, { 'idempotency-key': 'one-and-only' });
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask('short: once')));
    const made = answers.filter(({ status }) => status === 202).map(({ body }) => body.id);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.error.code}`))).toEqual(
      new Set(refused.length > 0 ? ['409 idempotency_in_flight'] : []),
    );
    expect(new Set(made).size).toBe(1);
    const again = await Promise.all(Array.from({ length: 20 }, () => ask('short: once')));
    expect(new Set(again.map(({ status, body }) => `${status} ${body.id}`))).toEqual(
      new Set([`202 ${made[0]}`]),
    );
    const other = await ask('short: another');
    expect([other.status, other.body.error.type]).toEqual([422, 'idempotency_error']);
    const { rows } = await database.query(`SELECT id FROM tasks WHERE description LIKE 'short: %'`);
    expect(rows).toEqual([{ id: made[0] }]);
    await user.ended(made[0]);
    const { rows: runs } = await database.query(
      `SELECT 1 FROM runs r JOIN tasks t ON r.request_id = t.request_id WHERE t.id = $1`,
      [made[0]],
    );
    expect(runs).toHaveLength(1);
  });

  it('39, 40: a task goes on when its reader goes away; one that comes back again and again misses nothing', async () => {
    const id = await user.submit({ description: 'talk: now' });
    const heard: any[] = [];
    let connections = 0;
    while (heard.at(-1)?.type !== 'result') {
      const gone = new AbortController();
      const response = await user.follow(id, heard.at(-1)?.seq ?? 0, gone.signal);
      connections += 1;
      let text = '';
      let whole: any[] = [];
      try {
        for await (const piece of response.body as AsyncIterable<Uint8Array>) {
          text += Buffer.from(piece).toString();
          whole = eventsOf(text.slice(0, text.lastIndexOf('\n\n') + 2));
          if (whole.length >= 5) gone.abort();
        }
      } catch (error) {
        expect((error as Error).name).toBe('AbortError');
      }
      heard.push(...whole);
    }
    expect(connections).toBeGreaterThan(4);
    expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, index) => index + 1));
    const said = heard.filter(({ type }) => type === 'token').map(({ content }) => content);
    expect(said.join('')).toBe(`${'word '.repeat(60)}The end.`);
    expect(heard).toEqual(await user.events(id));
    expect((await user.show(id)).status).toBe('succeeded');
  });

  it('39: a caller that waited for the end and went away has its task done all the same', async () => {
    const gone = new AbortController();
    const waiting = fetch(`${service.url}/v1/task`, {
      method: 'POST',
      signal: gone.signal,
      headers: { 'content-type': 'application/json', 'x-api-key': user.key },
      body: JSON.stringify({ description: 'talk: while I am away', model: 'haiku' }),
    });
    const find = async () =>
      (
        await database.query(
          `SELECT id FROM tasks WHERE description LIKE '%I am away' AND started_at IS NOT NULL`,
        )
      ).rows;
    const [{ id }] = (await until('it has started', find, ({ length }) => length === 1)) as [{ id: string }];
    gone.abort();
    await expect(waiting).rejects.toThrow('aborted');
    expect((await user.ended(id)).status).toBe('succeeded');
  });

  it('41: cancel at the moment of the end: one terminal state, and everybody is told the same', async () => {
    const outcomes = new Map<string, number>();
    const race = async (delayMs: number) => {
      const id = await user.submit({ description: 'race: now' });
      const speaks = `SELECT 1 FROM task_events WHERE task_id = $1 AND type = 'token'`;
      await until('it speaks', async () => (await database.query(speaks, [id])).rows.length > 0);
      if (delayMs < 0) await user.ended(id);
      else await sleep(delayMs);
      const answers = await Promise.all([user.cancel(id), user.cancel(id)]);
      const { status } = await user.ended(id);
      for (const { status: code, body } of answers) {
        expect(code === 200 ? body.status : [code, body.error.details.status]).toEqual(
          code === 200 ? 'cancelled' : [409, status],
        );
        if (code === 200) expect(status).toBe('cancelled');
      }
      const events = await user.events(id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      expect([events.at(-1).type, events.at(-1).status, await results(id)]).toEqual(['result', status, 1]);
      const { rows } = await database.query(
        'SELECT r.outcome IS NULL AS open FROM tasks t JOIN runs r ON r.id = t.run_id WHERE t.id = $1',
        [id],
      );
      expect(rows).toEqual([{ open: false }]);
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
    };
    // From at once, over all that lies between, to certainly too late.
    const delays = [0, ...Array.from({ length: 26 }, (_, index) => 60 + index * 15), -1];
    for (let at = 0; at < delays.length; at += 4) await Promise.all(delays.slice(at, at + 4).map(race));
    expect([...outcomes.keys()].sort()).toEqual(['cancelled', 'succeeded']);
  });

  it('38: a reader that stopped reading costs little memory and is given up, while others go on', async () => {
    const { socket, givenUpAt, since, rssBefore } = stalled;
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(100 * MEBIBYTE);
    const waitedMs = (await givenUpAt) - since;
    expect([waitedMs > STALL_MS - 1_000, waitedMs < STALL_MS + 10_000]).toEqual([true, true]);
    // What the kernel holds for it still comes, and then no end of a whole answer.
    let received = 0;
    let tail = '';
    socket.on('data', (piece: Buffer) => {
      received += piece.length;
      tail = piece.toString('latin1').slice(-5);
    });
    socket.resume();
    await until('it is closed', () => socket.closed);
    expect(received).toBeLessThan((LARGE_EVENTS * 16_000) / 4);
    expect(tail).not.toBe('0\r\n\r\n');
  });
});
