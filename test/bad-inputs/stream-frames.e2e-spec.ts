import { setTimeout as sleep } from 'node:timers/promises';
import { STREAM_LIMITS } from '../../apps/api/src/stream/stream-limits.js';
import { frame, OPCODE, pingFrame, RawStream, textFrame } from '../support/raw-stream.js';
import { answering, ScriptedExecutor } from '../support/scripted-executor.js';
import { StreamClient } from '../support/stream-client.js';
import { TaskInstallation, type TaskProcess } from '../support/task-installation.js';
import { until } from '../support/task-api.js';

const { more, text, binary, ping, pong } = OPCODE;
const MEBIBYTE = 1024 * 1024;
const part = (opcode: number, payload: string | Buffer = 'x') => frame(opcode, payload, { fin: false });

/** sandbox-security.md section 6, "WebSocket": the bytes and frames of those who have shown a key. */
describe('frames of hostile and careless clients', () => {
  let installation: TaskInstallation;
  let server: TaskProcess;
  let executor: ScriptedExecutor;
  let port: number;
  let key: string;
  let bystander: StreamClient;
  let opened: RawStream[] = [];

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    executor = new ScriptedExecutor();
    server = await installation.startProcess({}, executor);
    port = Number(new URL(server.url).port);
    bystander = await StreamClient.open(server.url, (await installation.key(server)).key);
  });
  beforeEach(async () => {
    executor.script = answering('done');
    ({ key } = await installation.key(server));
  });
  afterEach(async () => {
    for (const { wire } of opened) wire.destroy();
    opened = [];
    jest.restoreAllMocks();
    const id = `alive-${bystander.frames.length}`;
    bystander.send({ type: 'ping', id });
    await bystander.until((told) => told.type === 'pong' && told.id === id, 2_000);
  });
  afterAll(async () => {
    bystander?.socket.terminate();
    await installation.stop();
  });

  async function open(options?: { headers?: string[]; behind?: Buffer[] }): Promise<RawStream> {
    const made = await RawStream.open(port, key, options);
    opened.push(made);
    await until('ready', () => made.told.length > 0);
    return made;
  }
  const errorsOf = (stream: RawStream) => stream.told.flatMap(({ error }) => (error ? [error.code] : []));
  const shorten = (name: keyof typeof STREAM_LIMITS, to: number) =>
    jest.replaceProperty(STREAM_LIMITS, name, to);

  describe('row 59: what is no frame of ours is answered', () => {
    it.each([
      ['no JSON', 'hello', 'invalid_json', null],
      ['half of it', '{"type":"ping"', 'invalid_json', null],
      ['nothing', '', 'invalid_json', null],
      ['null', 'null', 'invalid_request', null],
      ['a number', '5', 'invalid_request', null],
      ['a text', '"ping"', 'invalid_request', null],
      ['a list', '[{"type":"ping"}]', 'invalid_request', null],
      ['no type', '{}', 'invalid_request', 'type'],
      ['an unknown type', '{"type":"eval"}', 'invalid_request', 'type'],
      ['a type that every object has', '{"type":"toString"}', 'invalid_request', 'type'],
      ['a type that is no text', '{"type":["ping"]}', 'invalid_request', 'type'],
      ['an inner name of a handler', '{"type":"disconnect"}', 'invalid_request', 'type'],
      ['a key given twice', '{"type":"ping","type":"auth"}', 'invalid_request', null],
      ['__proto__', '{"type":"ping","__proto__":{"a":1}}', 'invalid_request', null],
      ['half of a surrogate pair', '{"type":"ping","id":"\\ud800"}', 'invalid_request', 'id'],
      ['a NUL', '{"type":"ping","id":"\\u0000"}', 'invalid_request', 'id'],
      ['an id that is no text', '{"type":"ping","id":5}', 'invalid_request', 'id'],
      ['an empty id', '{"type":"ping","id":""}', 'invalid_request', 'id'],
      ['an id of 129 characters', `{"type":"ping","id":"${'x'.repeat(129)}"}`, 'invalid_request', 'id'],
      ['an id with a line end', '{"type":"ping","id":"a\\nb"}', 'invalid_request', 'id'],
      [
        'an idempotency key that is no text',
        '{"type":"task","idempotency_key":1}',
        'invalid_request',
        'idempotency_key',
      ],
    ])('%s', async (_, bad, code, param) => {
      const stream = await open();
      stream.write(frame(text, bad), textFrame({ type: 'ping', id: 'still-here' }));
      await until('both are answered', () => stream.told.length === 3);
      expect(stream.told.slice(1)).toEqual([
        {
          type: 'error',
          error: expect.objectContaining({ code, ...(param ? { param } : {}) }),
          request_id: expect.stringMatching(/^req_/),
        },
        { type: 'pong', id: 'still-here' },
      ]);
    });

    it('binary, even of good JSON', async () => {
      const stream = await open();
      stream.write(frame(binary, '{"type":"ping"}'));
      await until('it is answered', () => stream.told.length === 2);
      expect(stream.told[1].error).toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('binary'),
      });
    });

    it('nine times; the tenth closes with 4400', async () => {
      const stream = await open();
      for (let times = 0; times < 9; times += 1) stream.write(frame(text, 'no'));
      await until('nine answers', () => errorsOf(stream).length === 9);
      stream.write(frame(text, 'no'), textFrame({ type: 'ping' }));
      expect(await stream.closeCode(2_000)).toBe(4400);
      expect(stream.told).toHaveLength(11);
      expect(stream.told.some(({ type }) => type === 'pong')).toBe(false);
    });

    it('ids that every object has are ids like others', async () => {
      const client = await StreamClient.open(server.url, key);
      for (const id of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
        const events = await client.request({ type: 'completion', id, prompt: 'x', model: 'haiku' });
        expect(events.at(-1)).toMatchObject({ type: 'done', id });
      }
      client.close();
    });
  });

  it('row 60: 20,000 nested arrays, in a frame and in a field: refused by the depth, and the process lives', async () => {
    const stream = await open();
    const nested = '['.repeat(20_000) + ']'.repeat(20_000);
    stream.write(
      frame(text, nested),
      frame(text, `{"type":"ping","id":${nested}}`),
      frame(text, `{"type":"task","id":"deep","description":"x","output_schema":${nested}}`),
      frame(
        text,
        `{"type":"completion","id":"wide","prompt":"x","metadata":{"a":[${'1,'.repeat(20_000)}1]}}`,
      ),
    );
    await until('all are answered', () => errorsOf(stream).length === 4);
    expect(errorsOf(stream)).toEqual(Array(4).fill('invalid_request'));
  });

  it.each([
    ['in one frame of 2 MB', () => [frame(text, Buffer.alloc(2 * MEBIBYTE, 'x'))]],
    ['of one byte more than 1 MiB', () => [frame(text, Buffer.alloc(MEBIBYTE + 1, 'x'))]],
    ['of 2^62 bytes, announced', () => [frame(text, 'x', { announced: 2n ** 62n })]],
    ['of 2^63 bytes, announced', () => [frame(text, 'x', { announced: 2n ** 63n })]],
    [
      'in many parts',
      () => [part(text), ...Array.from({ length: 40 }, () => part(more, Buffer.alloc(32_768, 'x')))],
    ],
  ])('rows 61, 64, 65: a message %s: 1009', async (_, frames) => {
    const stream = await open();
    stream.write(...frames());
    expect(await stream.closeCode(3_000)).toBe(1009);
  });

  it('row 61: a message of just 1 MiB is read', async () => {
    const stream = await open();
    const head = '{"type":"completion","id":"c","model":"haiku","prompt":"';
    stream.write(textFrame(`${head}${'x'.repeat(MEBIBYTE - head.length - 2)}"}`));
    await until('it is answered', () => stream.told.some(({ type }) => type === 'done'));
  });

  it.each([
    ['an unmasked frame', frame(text, '{"type":"ping"}', { masked: false })],
    ['a reserved data frame', frame(3, 'x')],
    ['a reserved control frame', frame(11)],
    ['the first reserved bit', frame(text, '{"type":"ping"}', { rsv: 4 })],
    ['the second reserved bit', frame(text, '{"type":"ping"}', { rsv: 2 })],
    ['the third reserved bit', frame(text, '{"type":"ping"}', { rsv: 1 })],
    ['a ping of 126 bytes', frame(ping, Buffer.alloc(126))],
    ['a ping in parts', frame(ping, 'x', { fin: false })],
    ['a part of nothing', frame(more, 'x')],
    ['a message in the middle of another', Buffer.concat([part(text), frame(text, 'x')])],
    ['a close of one byte', frame(OPCODE.close, 'x')],
    ['a close with a code that is none', frame(OPCODE.close, Buffer.from([3, 237]))],
  ])('row 62: %s: 1002', async (_, bytes) => {
    const stream = await open();
    stream.write(bytes);
    expect(await stream.closeCode(2_000)).toBe(1002);
  });

  it.each([
    ['in a message', [frame(text, Buffer.from([0x22, 0xc3, 0x28, 0x22]))]],
    ['cut in the middle of a character', [frame(text, Buffer.from([0xe2, 0x82]))]],
    ['across two parts', [part(text, Buffer.from([0xf0, 0x9f])), frame(more, Buffer.from([0x22]))]],
    ['in the reason of a close', [frame(OPCODE.close, Buffer.from([3, 232, 0xc3, 0x28]))]],
  ])('row 63: no UTF-8 %s: 1007', async (_, frames) => {
    const stream = await open();
    stream.write(...frames);
    expect(await stream.closeCode(2_000)).toBe(1007);
  });

  describe('row 65: a message without an end', () => {
    it('in 20,000 parts of nothing: closed', async () => {
      const stream = await open();
      stream.write(part(text, ''), ...Array.from({ length: 20_000 }, () => part(more, '')));
      expect(await stream.closeCode(3_000)).toBe(1008);
    });

    it('in a part now and then, with pings and pongs between: closed with 4408', async () => {
      expect(STREAM_LIMITS.frameWithinMs).toBe(30_000);
      shorten('frameWithinMs', 500);
      const stream = await open();
      stream.write(part(text, '{'));
      for (let times = 0; !stream.isClosed && times < 40; times += 1) {
        stream.write(part(more, ' '), ...(times % 4 === 0 ? [pingFrame(3), frame(pong, 'abc')] : []));
        await sleep(100);
      }
      expect(await stream.closeCode()).toBe(4408);
    });

    it('one frame that stops half-way: closed with 4408', async () => {
      shorten('frameWithinMs', 500);
      const stream = await open();
      stream.write(textFrame({ type: 'ping', id: 'x'.repeat(100) }).subarray(0, 50));
      expect(await stream.closeCode(5_000)).toBe(4408);
    });

    it('and one that comes slowly but in time is read; so are those after it', async () => {
      shorten('frameWithinMs', 3_500);
      const stream = await open();
      for (let times = 0; times < 3; times += 1) {
        const bytes = textFrame({ type: 'ping', id: `slow-${times}` });
        for (const byte of [0, 1, 2]) {
          stream.write(bytes.subarray(byte * 10, byte === 2 ? undefined : byte * 10 + 10), ...[]);
          await sleep(400);
        }
      }
      await until('all are answered', () => stream.told.filter(({ type }) => type === 'pong').length === 3);
    });
  });

  it('row 66: frames over 20 a second are told so under their id; who goes on is closed with 1008', async () => {
    const stream = await open();
    const pings = Array.from({ length: 26 }, (_, index) => textFrame({ type: 'ping', id: `p${index}` }));
    stream.write(...pings);
    await until('all are answered', () => stream.told.length === 27);
    const late = stream.told.filter(({ type }) => type === 'error');
    expect(late.length).toBeGreaterThan(2);
    expect(late[0]).toMatchObject({ id: expect.stringMatching(/^p2\d$/), error: { code: 'rate_limited' } });
    expect(late[0].error.details).toMatchObject({ frames_per_second: 20, retry_after_seconds: 1 });
    stream.write(...pings, ...pings);
    expect(await stream.closeCode(2_000)).toBe(1008);
  });

  it.each([
    ['pings', () => pingFrame(125)],
    ['pongs that nobody asked for', () => frame(pong, 'x')],
    ['frames that are none', () => frame(text, 'no')],
    ['messages of 1 KiB', () => frame(text, Buffer.alloc(1024, 'x'))],
  ])('row 66: a flood of %s: closed', async (_, make) => {
    const stream = await open();
    const flood = Array.from({ length: 2_000 }, make);
    for (let times = 0; times < 5 && !stream.isClosed; times += 1) stream.write(...flood);
    const code = await stream.closeCode(3_000);
    expect([1008, 4400]).toContain(code);
    expect(stream.frames.length).toBeLessThan(50);
  });

  it('row 71: compression is not spoken: a compressed message is a fault', async () => {
    const stream = await open({
      headers: ['sec-websocket-extensions: permessage-deflate; client_max_window_bits'],
    });
    expect(stream.head).not.toMatch(/sec-websocket-extensions/i);
    stream.write(frame(text, Buffer.from('aa56ca48cdc9c95700', 'hex'), { rsv: 4 }));
    expect(await stream.closeCode(2_000)).toBe(1002);
  });

  describe('many requests', () => {
    it('the same task 100 times on one socket: each is told all of it; the 101st is refused and the others are not hurt', async () => {
      shorten('framesPerSecond', 1_000);
      const client = await StreamClient.open(server.url, key);
      executor.script = answering('at last', 3_000);
      client.send({ type: 'task', id: 't', description: 'x', model: 'haiku' });
      const { task_id: taskId } = await client.until(({ type }) => type === 'started');
      for (let each = 1; each <= 100; each += 1)
        client.send({ type: 'subscribe', id: `s${each}`, task_id: taskId });
      const told = await client.ended('t');
      for (let each = 1; each < 100; each += 1) {
        const events = await client.ended(`s${each}`);
        expect(events.map(({ id: _, ...event }) => event)).toEqual(told.map(({ id: _, ...event }) => event));
      }
      expect(client.of('s100')).toEqual([
        expect.objectContaining({ error: expect.objectContaining({ code: 'concurrency_limited' }) }),
      ]);
      client.close();
    });

    it('750 subscriptions that are given up at once leave nothing behind', async () => {
      shorten('framesPerSecond', 100_000);
      const client = await StreamClient.open(server.url, key);
      executor.script = answering('at last', 12_000);
      client.send({ type: 'task', id: 't', description: 'x', model: 'haiku' });
      const { task_id: taskId } = await client.until(({ type }) => type === 'started');
      for (let round = 0; round < 15; round += 1) {
        for (let each = 0; each < 50; each += 1) {
          client.send({ type: 'subscribe', id: `s${each}`, task_id: taskId, after: 2 ** 31 - 1 });
        }
        client.send({ type: 'unsubscribe', id: `u${round}`, task_id: taskId });
        await client.until(({ type, id }) => type === 'ack' && id === `u${round}`);
      }
      expect(client.frames.filter(({ type }) => type === 'error')).toEqual([]);
      client.send({ type: 'cancel', id: 'c', task_id: taskId });
      expect(await client.until(({ id }) => id === 'c')).toMatchObject({
        type: 'ack',
        of: 'cancel',
        task_id: taskId,
      });
      client.close();
    });

    it.each([-1, 2 ** 31, 1.5, '5', null])('after %j: 400 with its name', async (after) => {
      const client = await StreamClient.open(server.url, key);
      const [error] = await client.request({ type: 'subscribe', id: 's', task_id: 'x', after });
      expect(error.error).toMatchObject({ code: 'invalid_request', param: 'after' });
      client.close();
    });
  });
});
