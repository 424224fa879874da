import type { ClientOptions } from 'ws';
import { KeysService, operatorPrincipal } from '@app/auth';
import { STREAM_LIMITS } from '../../apps/api/src/stream/stream-limits.js';
import { Unread } from '../../apps/api/src/stream/unread.js';
import { envelope, sendRaw } from '../support/raw-http.js';
import { handshake, pingFrame, RawStream, textFrame } from '../support/raw-stream.js';
import { answering, ended, ScriptedExecutor } from '../support/scripted-executor.js';
import { StreamClient } from '../support/stream-client.js';
import { call, TaskInstallation, type TaskProcess } from '../support/task-installation.js';
import { until } from '../support/task-api.js';

const OWN_PAGE = 'https://app.example.com';

/** sandbox-security.md section 6, "WebSocket": who may open a socket, and for how long. The frames are next door. */
describe('the sockets of hostile and careless clients', () => {
  let installation: TaskInstallation;
  let server: TaskProcess;
  let executor: ScriptedExecutor;
  let port: number;
  let bystander: StreamClient;
  let opened: { close(): void }[] = [];

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    executor = new ScriptedExecutor();
    server = await installation.startProcess({ ALLOWED_ORIGINS: OWN_PAGE }, executor);
    port = Number(new URL(server.url).port);
    bystander = await StreamClient.open(server.url, (await newKey()).key);
  });
  beforeEach(() => (executor.script = answering('done')));
  afterEach(async () => {
    for (const each of opened) each.close();
    opened = [];
    jest.restoreAllMocks();
    const id = `alive-${bystander.frames.length}`;
    bystander.send({ type: 'ping', id });
    await bystander.until((told) => told.type === 'pong' && told.id === id, 2_000);
  });
  afterAll(async () => {
    bystander?.close();
    await installation.stop();
  });

  const keys = () => server.app.get(KeysService);
  const newKey = (tier?: string, project?: string) => installation.key(server, tier, project);
  const shorten = (name: keyof typeof STREAM_LIMITS, to: number) =>
    jest.replaceProperty(STREAM_LIMITS, name, to);
  async function client(key?: string, options?: ClientOptions): Promise<StreamClient> {
    const made = await StreamClient.open(server.url, key, options);
    opened.push(made);
    return made;
  }
  async function raw(...args: [key?: string, options?: { headers?: string[]; behind?: Buffer[] }]) {
    const made = await RawStream.open(port, ...args);
    opened.push({ close: () => made.wire.destroy() });
    return made;
  }
  const refused = (headers: Record<string, string>, path?: string, options?: ClientOptions) =>
    StreamClient.refused(server.url, path, headers, options);

  describe('row 55: the origin of a page', () => {
    it.each([
      'https://evil.example',
      'null',
      'https://app.example.com.evil.example',
      'https://app.example.com:8443',
    ])('%s: 403 before there is a socket, with a key and without', async (origin) => {
      const { key } = await newKey();
      const shown: Record<string, string>[] = [{}, { authorization: `Bearer ${key}` }];
      for (const headers of shown) {
        expect(await refused({ origin, ...headers })).toMatchObject({
          status: 403,
          body: envelope('permission_denied'),
        });
      }
    });

    it('a page of our own host may, one that the operator listed may, and a program has none', async () => {
      const { key } = await newKey();
      for (const origin of [server.url, OWN_PAGE, undefined]) {
        expect((await client(key, { origin })).frames[0]).toMatchObject({ type: 'ready' });
      }
    });
  });

  describe('row 56: the handshake', () => {
    it('version 8: 426 with the one that is spoken', async () => {
      const answer = await refused({}, '/v1/stream', { protocolVersion: 8 });
      expect(answer).toMatchObject({ status: 426, body: envelope('upgrade_required') });
      expect(answer.headers['sec-websocket-version']).toBe('13');
    });

    it.each([
      ['without its key', handshake().replace(/sec-websocket-key: .*\r\n/, '')],
      [
        'with a key of another length',
        handshake().replace(/sec-websocket-key: .*/, 'sec-websocket-key: YQ=='),
      ],
      ['by POST', handshake().replace('GET', 'POST')],
      ['with two Origin headers', handshake(['origin: http://a.example', 'origin: http://127.0.0.1'])],
      ['with two Host headers', handshake(['host: evil.example'])],
    ])('%s: 400 and closed', async (_, request) => {
      const answer = await sendRaw(port, request);
      expect(answer).toMatchObject({ status: 400, closed: true, body: envelope('invalid_request') });
    });

    it('with two Authorization headers: 400, even when both are good', async () => {
      const { key } = await newKey();
      const answer = await sendRaw(port, handshake(Array(2).fill(`authorization: Bearer ${key}`)));
      expect(answer).toMatchObject({ status: 400, body: envelope('invalid_request') });
    });

    it.each(['Bearer cc_sk_wrong', 'Basic abc', 'Bearer', ''])(
      'with the key %j: 401',
      async (authorization) => {
        const answer = await refused({ authorization });
        expect(answer).toMatchObject({ status: 401, body: envelope('invalid_api_key') });
        expect(answer.headers['www-authenticate']).toBe('Bearer');
      },
    );

    it('with a key that was revoked: 401', async () => {
      const { id, key } = await newKey();
      await keys().revoke(operatorPrincipal(), id);
      const gone = () => refused({ 'x-api-key': key }).catch(() => undefined);
      expect(await gone()).toMatchObject({ status: 401, body: envelope('invalid_api_key') });
    });

    it('behind a request of the same connection that is not answered yet: closed, and no answer among frames', async () => {
      const { key } = await newKey();
      executor.script = answering('late', 400);
      const body = '{"prompt":"x","model":"haiku"}';
      const post = `POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      const answer = await sendRaw(port, post + handshake([`x-api-key: ${key}`]));
      expect(answer).toMatchObject({ head: '', closed: true });
    });

    it('on a connection that was kept alive after a whole answer: a socket', async () => {
      const { key } = await newKey();
      const health = 'HEAD /health HTTP/1.1\r\nhost: x\r\n\r\n';
      const pieces = [health, handshake([`x-api-key: ${key}`])];
      const answer = await sendRaw(port, pieces, { pauseMs: 300, patienceMs: 800 });
      expect(JSON.stringify(answer.body)).toContain('101 Switching Protocols');
    });

    it('to another protocol on a REST route: a plain answer', async () => {
      const upgrade =
        'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
      for (const path of ['/health', '/v1/stream']) {
        const request = `GET ${path} HTTP/1.1\r\nhost: x\r\n${upgrade}\r\n`;
        const { status } = await sendRaw(port, request, { patienceMs: 500 });
        expect([path, status]).toEqual([path, path === '/health' ? 200 : 426]);
      }
    });
  });

  it.each([
    '/',
    '/v1/stream/',
    '/v1/Stream',
    '/v1/tasks',
    '/v1/stream/../tasks',
    '/v1/stream%00',
    '//v1/stream',
  ])('row 57: a socket at %s: 404', async (path) => {
    const answer = await sendRaw(port, handshake([], path));
    expect(answer).toMatchObject({ status: 404, closed: true, body: envelope('not_found') });
  });

  describe('row 58: a client that has not shown a key', () => {
    it('is given 5 seconds', async () => {
      expect(STREAM_LIMITS.authWithinMs).toBe(5_000);
      shorten('authWithinMs', 200);
      const silent = await client();
      expect(await silent.end(2_000)).toMatchObject({ code: 4408 });
      expect(silent.frames).toEqual([]);
    });

    it('is not let in by a key in the address', async () => {
      shorten('authWithinMs', 200);
      const { key } = await newKey();
      const stream = await raw();
      const { told } = stream;
      expect(told).toEqual([]);
      const other = await sendRaw(port, handshake([], `/v1/stream?api_key=${key}&token=${key}`), {
        patienceMs: 1_500,
      });
      expect(other.head).toContain('101');
      expect(JSON.stringify(other.body)).not.toContain('ready');
      expect(await stream.closeCode(2_000)).toBe(4408);
    });

    it.each([
      ['a wrong key', { type: 'auth', api_key: 'cc_sk_wrong' }],
      ['another frame first', { type: 'ping' }],
      ['a completion first', { type: 'completion', id: 'c', prompt: 'x', model: 'haiku' }],
    ])('by %s: the error and 4401', async (_, frame) => {
      const stranger = await client();
      stranger.send(frame);
      expect(await stranger.end(2_000)).toMatchObject({ code: 4401 });
      expect(stranger.frames).toEqual([
        expect.objectContaining({
          type: 'error',
          error: expect.objectContaining({ code: 'invalid_api_key' }),
        }),
      ]);
    });

    it('and sends a good key right behind another frame: 4401 all the same, and nothing was done', async () => {
      const { key } = await newKey();
      const bad = textFrame({ type: 'completion', id: 'c', prompt: 'x', model: 'haiku' });
      const stream = await raw(undefined, { behind: [bad, textFrame({ type: 'auth', api_key: key })] });
      expect(await stream.closeCode()).toBe(4401);
      expect(stream.told.map(({ type }) => type)).toEqual(['error']);
      const { rows } = await installation.sql.query(
        'SELECT 1 FROM runs r JOIN api_keys k ON k.id = r.key_id',
      );
      expect(rows.length).toBeLessThanOrEqual(1); // that of the answer that was asked for above
    });

    it('shows two keys at once: the first one counts', async () => {
      const [one, two] = [await newKey('enterprise', 'one'), await newKey('enterprise', 'two')];
      const auth = ({ key }: { key: string }) => textFrame({ type: 'auth', api_key: key });
      const stream = await raw(undefined, { behind: [auth(one), auth(two)] });
      await until('both are answered', () => stream.told.length === 2);
      expect(stream.told).toEqual([
        expect.objectContaining({ type: 'ready', project: 'one' }),
        expect.objectContaining({ type: 'error', error: expect.objectContaining({ code: 'conflict' }) }),
      ]);
    });

    it('leaves in the middle of it: nothing is left behind', async () => {
      shorten('strangersPerAddress', 3);
      const { id, key } = await newKey();
      for (let times = 0; times < 12; times += 1) {
        const stream = await raw(undefined, { behind: [textFrame({ type: 'auth', api_key: key })] });
        if (times % 2 === 0) stream.wire.resetAndDestroy();
        else stream.wire.end();
        await until('it is gone', () => stream.isClosed);
        // A slot of this address is free again as soon as the server has seen it too.
        await until(
          'the others may come',
          async () => (await client().catch(() => undefined))?.socket.terminate() === undefined,
        );
      }
      expect((await keys().show(operatorPrincipal(), id)).status).toBe('active');
      const ten = await Promise.all(Array.from({ length: 10 }, () => client(key)));
      expect(ten.every(({ closed }) => closed === undefined)).toBe(true);
    });

    it('is one of at most 50 of its address; who has shown a key is not one of them', async () => {
      expect(STREAM_LIMITS.strangersPerAddress).toBe(50);
      shorten('strangersPerAddress', 3);
      const { key } = await newKey();
      const three = [await client(), await client(), await client()];
      expect(await refused({})).toMatchObject({ status: 429, body: envelope('rate_limited') });
      expect((await client(key)).frames[0].type).toBe('ready');
      three[0]!.send({ type: 'auth', api_key: key });
      await three[0]!.until(({ type }) => type === 'ready');
      await client();
      expect(await refused({})).toMatchObject({ status: 429 });
    });
  });

  describe('row 67: a task that is not the caller’s', () => {
    it('gets the very same answer as one that never was, for every frame that names a task', async () => {
      const [owner, thief] = [await newKey('enterprise', 'owner'), await newKey('enterprise', 'thief')];
      const { body: task } = await call(server, owner.key, 'POST', '/v1/tasks', {
        body: { description: 'mine', model: 'haiku' },
      });
      const spy = await client(thief.key);
      for (const type of ['subscribe', 'unsubscribe', 'cancel']) {
        const answers: unknown[] = [];
        for (const id of [task.id, `task_${'0'.repeat(32)}`, '../x', '__proto__']) {
          const [answer] = await spy.request({ type, id: `${type}-${answers.length}`, task_id: id });
          const { timestamp: _, request_id: _request, id: _id, ...same } = answer;
          answers.push(same);
        }
        expect(answers).toEqual(answers.map(() => answers[0]));
        expect(answers[0]).toMatchObject({ type: 'error', error: { code: 'not_found' } });
      }
      expect(JSON.stringify(spy.frames)).not.toContain(task.id);
    });
  });

  it('row 68: ten sockets of a key, the eleventh: 4429, by header and by frame; another key may, and a place that is left is free', async () => {
    const { key } = await newKey();
    const ten = await Promise.all(Array.from({ length: 10 }, () => client(key)));
    const headers = { authorization: `Bearer ${key}` };
    expect(await (await client(undefined, { headers })).end(2_000)).toMatchObject({ code: 4429 });
    const byFrame = await client();
    byFrame.send({ type: 'auth', api_key: key });
    expect(await byFrame.end(2_000)).toMatchObject({ code: 4429 });
    expect(byFrame.frames).toEqual([]);
    expect((await client((await newKey()).key)).frames[0].type).toBe('ready');
    expect(ten.every(({ closed }) => closed === undefined)).toBe(true);
    ten[0]!.close();
    await until('the place is free', async () =>
      (await client(undefined, { headers }))
        .until(({ type }) => type === 'ready')
        .then(({ missing }) => !missing),
    );
  });

  describe('row 69: a reader that stops reading', () => {
    it('is closed with 4430, its completion is ended and its task is not', async () => {
      expect([STREAM_LIMITS.unreadBytes, STREAM_LIMITS.unreadForMs]).toEqual([1024 * 1024, 30_000]);
      const { key } = await newKey();
      let cancelled = 0;
      executor.script = async function* (spec, signal) {
        yield { type: 'started', model: spec.model };
        for (let piece = 0; piece < 400 && !signal.aborted; piece += 1) {
          yield { type: 'token', content: 'x'.repeat(65_536) };
          await new Promise(setImmediate);
        }
        if (signal.aborted) cancelled += 1;
        yield ended({ status: signal.aborted ? 'cancelled' : 'succeeded', text: 'all' });
      };
      const stream = await raw(key);
      stream.wire.pause();
      stream.write(textFrame({ type: 'completion', id: 'c', prompt: 'x', model: 'haiku' }));
      await until('it is ended', () => cancelled === 1);
      stream.wire.resume();
      expect(await stream.closeCode()).toBe(4430);

      const other = await raw(key);
      other.write(textFrame({ type: 'task', id: 't', description: 'x', model: 'haiku' }));
      await until('it has begun', () => other.told.some(({ type }) => type === 'queued'));
      other.wire.pause();
      const { task_id: id } = other.told.at(-1);
      const show = async () => (await call(server, key, 'GET', `/v1/tasks/${id}`)).body;
      expect((await until('it is done', show, ({ finished_at: at }) => at !== null)).status).toBe(
        'succeeded',
      );
    });

    it('is told as one piece what came while it did not read, without a gap', async () => {
      const isBehind = jest.spyOn(Unread.prototype, 'taken');
      const pieces = 200;
      let said = 0;
      executor.script = async function* (spec) {
        const say = (content: string) => {
          said += content.length;
          return { type: 'token' as const, content };
        };
        yield { type: 'started', model: spec.model };
        // Until the kernel takes no more for it.
        while (isBehind.mock.calls.length === 0) {
          yield say('x'.repeat(16_384));
          await new Promise(setImmediate);
        }
        for (let piece = 0; piece < pieces; piece += 1) yield say('y');
        stream.wire.resume();
        yield ended({ status: 'succeeded', text: 'all' });
      };
      const stream = await raw((await newKey()).key);
      stream.wire.pause();
      stream.write(textFrame({ type: 'completion', id: 'c', prompt: 'x', model: 'haiku' }));
      await until('it is done', () => stream.told.some(({ type }) => type === 'done'));
      const events = stream.told.filter(({ id }) => id === 'c');
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      const texts = events.filter(({ type }) => type === 'token').map(({ content }) => content);
      expect(texts.join('')).toHaveLength(said);
      expect(texts.filter((text) => text.includes('y')).length).toBeLessThan(pieces / 10);
    });

    it('is cut off when what it leaves unread is the pongs to its own pings', async () => {
      shorten('framesPerSecond', 1e6);
      const stream = await raw((await newKey()).key);
      stream.wire.pause();
      const pings = Buffer.concat(Array.from({ length: 8_000 }, () => pingFrame(125)));
      // More than the kernel holds for a reader.
      for (let times = 0; times < 20; times += 1) stream.write(pings);
      await until('it is cut off', () => stream.isClosed);
    });
  });

  describe('row 70: a key that ends, or changes, while its socket is open', () => {
    it('revoked: 4403 within 2 seconds, and what it had under way is ended', async () => {
      const { id, key } = await newKey();
      executor.script = answering('late', 60_000);
      const both = [await client(key), await client(key)];
      both[0]!.send({ type: 'completion', id: 'c', prompt: 'x', model: 'haiku' });
      await both[0]!.until(({ type }) => type === 'started');
      await keys().revoke(operatorPrincipal(), id);
      for (const each of both) expect(await each.end(2_000)).toMatchObject({ code: 4403 });
      await until('it is ended', () => executor.working === 0, Boolean, 2_000);
    });

    it('rotated without an overlap: the sockets of the old secret are closed, not those of the new one', async () => {
      const { id, key } = await newKey();
      const old = await client(key);
      const issued = await keys().rotate(operatorPrincipal(), id, { overlapSeconds: 0 });
      expect(await old.end(2_000)).toMatchObject({ code: 4403 });
      const fresh = await client(issued.key);
      const [pong] = await fresh.request({ type: 'cancel', id: 'nothing' });
      expect(pong.error.code).toBe('not_found');
    });

    it.each([
      [
        'rotated, once the overlap is over',
        (id: string) => keys().rotate(operatorPrincipal(), id, { overlapSeconds: 1 }),
      ],
      [
        'expired',
        (id: string) => keys().update(operatorPrincipal(), id, { expiresAt: new Date(Date.now() + 1_000) }),
      ],
    ])('%s: its next frame is refused and it is closed', async (_, change) => {
      const { id, key } = await newKey();
      const open = await client(key);
      await change(id);
      open.send({ type: 'ping', id: 'before' });
      await open.until((told) => told.id === 'before' && told.type === 'pong');
      await until(
        'it is refused',
        () => {
          if (!open.closed) open.send({ type: 'ping' });
          return open.closed;
        },
        Boolean,
        4_000,
      );
      expect(open.closed).toMatchObject({ code: 4403 });
      expect(open.frames.at(-1)).toMatchObject({ type: 'error', error: { code: 'invalid_api_key' } });
    });

    it('given a lower tier: the next frame is judged by it', async () => {
      const { id, key } = await newKey('enterprise');
      const open = await client(key);
      const task = { type: 'task', description: 'x', model: 'haiku', allow_tools: ['Bash'] };
      expect((await open.request({ ...task, id: 'before' })).at(-1)).toMatchObject({ status: 'succeeded' });
      await keys().update(operatorPrincipal(), id, { tier: 'free' });
      const lowered = async () => (await open.request({ ...task, id: `t${open.frames.length}` })).at(-1);
      const refusal = await until('it holds', lowered, ({ type }) => type === 'error', 2_000);
      expect(refusal).toMatchObject({
        error: {
          code: 'permission_denied',
          details: { refusals: [expect.objectContaining({ item: 'tool:Bash' })] },
        },
      });
      expect(open.closed).toBeUndefined();
    });
  });
});
