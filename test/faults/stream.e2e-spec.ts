import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:net';
import { ModelStandIn } from '../support/model-stand-in.js';
import { frame, OPCODE, pingFrame, RawStream } from '../support/raw-stream.js';
import { turns } from '../support/scripted-turns.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { StreamClient, textOf } from '../support/stream-client.js';
import { TaskApi, until } from '../support/task-api.js';

jest.setTimeout(180_000);

const MEBIBYTE = 1024 * 1024;
const { text, more, pong } = OPCODE;
const WORDS = 'word '.repeat(60);

/** What sockets cost the process that serves them, and what is left when it dies: a real one, seen from outside. */
describe('a server with very many, very bad or very slow sockets', () => {
  const servers: ServerProcess[] = [];
  let model: ModelStandIn;
  let home: string;
  let server: ServerProcess;
  let keys: string[];

  beforeAll(async () => {
    model = await ModelStandIn.start();
    home = await ServerProcess.temporaryHome();
    server = await start();
    keys = [(await server.createKey()).key];
    const { stdout } = await server.cli('keys', 'create', '--admin', '--name', 'many', '--json');
    const admin = JSON.parse(stdout).key;
    while (keys.length < 101) keys.push(await another(admin));
  });
  afterAll(async () => {
    await cleanUp(home, servers);
    await model.stop();
  });

  async function start(env: Record<string, string> = {}): Promise<ServerProcess> {
    const credential = { ANTHROPIC_API_KEY: 'sk-ant-test', ANTHROPIC_BASE_URL: model.url };
    const started = await ServerProcess.start(home, { ...credential, MAX_RUNS: '4', ...env });
    servers.push(started);
    return started;
  }
  async function another(admin: string): Promise<string> {
    const response = await fetch(`${server.url}/v1/admin/keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: JSON.stringify({ project_id: 'many', tier: 'enterprise' }),
    });
    return ((await response.json()) as { key: string }).key;
  }
  const rss = () => {
    const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  };
  const isAlive = async () => expect((await fetch(`${server.url}/health`)).status).toBe(200);

  it('1,000 idle sockets cost less than 150 MB, and all of them answer', async () => {
    const before = rss();
    const all: StreamClient[] = [];
    for (let batch = 0; batch < 100; batch += 10) {
      const ten = keys.slice(1 + batch, 11 + batch).flatMap((key) => Array<string>(10).fill(key));
      all.push(...(await Promise.all(ten.map((key) => StreamClient.open(server.url, key)))));
    }
    expect(all).toHaveLength(1000);
    expect(rss() - before).toBeLessThan(150 * MEBIBYTE);
    for (const each of all) each.send({ type: 'ping', id: 'p' });
    await Promise.all(all.map((each) => each.until(({ type }) => type === 'pong')));
    expect(rss() - before).toBeLessThan(150 * MEBIBYTE);
    for (const each of all) each.close();
  });

  it('storms of each bad input: the process lives, and its memory is back where it was', async () => {
    const nested = `{"type":"ping","a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    const part = (payload: Buffer, opcode: number = more) => frame(opcode, payload, { fin: false });
    const storms: [string, () => Buffer[]][] = [
      ['nested arrays', () => Array.from({ length: 10 }, () => frame(text, nested))],
      ['2 MB', () => [frame(text, Buffer.alloc(2 * MEBIBYTE, 'x'))]],
      ['2^62 bytes', () => [frame(text, 'x', { announced: 2n ** 62n })]],
      [
        'parts',
        () => [part(Buffer.alloc(1), text), ...Array.from({ length: 30 }, () => part(Buffer.alloc(32_768)))],
      ],
      [
        'parts of one byte',
        () => [part(Buffer.alloc(1), text), ...Array.from({ length: 15_000 }, () => part(Buffer.alloc(1)))],
      ],
      ['pings', () => Array.from({ length: 5_000 }, () => pingFrame(125))],
      ['pongs', () => Array.from({ length: 5_000 }, () => frame(pong, 'x'))],
      ['no JSON', () => Array.from({ length: 1_000 }, () => frame(text, '{'))],
      ['half a frame', () => [frame(text, Buffer.alloc(MEBIBYTE - 1)).subarray(0, 500_000)]],
    ];
    const storm = async (bytes: Buffer) => {
      const sockets = await Promise.all(
        Array.from({ length: 30 }, (_, index) => RawStream.open(server.port, keys[1 + (index % 30)])),
      );
      for (const each of sockets) each.wire.write(bytes);
      await until('they are read', () =>
        sockets.every(({ wire }) => wire.destroyed || wire.writableLength === 0),
      );
      for (const { wire } of sockets) wire.destroy();
    };
    // Once, so that what is loaded and kept for good is not counted.
    for (const [, frames] of storms) await storm(Buffer.concat(frames()));
    await sleep(2_000);
    const before = rss();
    for (let round = 0; round < 2; round += 1) {
      for (const [, frames] of storms) await storm(Buffer.concat(frames()));
    }
    await isAlive();
    await until('it is given back', () => rss() - before < 60 * MEBIBYTE, Boolean, 20_000);
  });

  it('connections that say nothing, half of a handshake, or reset in the middle of one: the process lives', async () => {
    const pieces = [
      '',
      'GET /v1/stream HTTP/1.1\r\nupgrade: websocket\r\n',
      'GET /v1/stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    ];
    for (let round = 0; round < 40; round += 1) {
      for (const piece of pieces) {
        const wire = connect(server.port, '127.0.0.1').on('error', () => undefined);
        wire.on('connect', () =>
          wire.write(piece, () => (round % 2 === 0 ? wire.resetAndDestroy() : wire.end())),
        );
      }
    }
    await isAlive();
    const client = await StreamClient.open(server.url, keys[0]);
    client.close();
  });

  it('kill -9 with 50 sockets on 4 tasks: after a restart each is told all the rest, without gap or repeat', async () => {
    model.script = turns([{ text: WORDS, chunks: 60, chunkDelayMs: 50 }]);
    const user = new TaskApi(server.url, keys[0]!);
    const ids = await Promise.all([0, 1, 2, 3].map(() => user.submit()));
    const readers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => StreamClient.open(server.url, keys[1 + (index % 50)])),
    );
    expect(readers.length).toBe(50);
    const own = await StreamClient.open(server.url, keys[0]);
    for (const [index, id] of ids.entries()) own.send({ type: 'subscribe', id: `s${index}`, task_id: id });
    await own.until(({ type, seq }) => type === 'token' && seq > 8);
    server.child.kill('SIGKILL');
    expect((await own.end()).code).toBe(1006);
    for (const each of readers) await each.end();

    server = await start({ PORT: String(server.port) });
    const back = await StreamClient.open(server.url, keys[0]);
    const rest = new TaskApi(server.url, keys[0]!);
    for (const [index, id] of ids.entries()) {
      const before = own.of(`s${index}`);
      const after = await back.request({
        type: 'subscribe',
        id: `s${index}`,
        task_id: id,
        after: before.at(-1)?.seq ?? 0,
      });
      const heard = [...before, ...after].map(({ id: _, ...event }) => event);
      expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, at) => at + 1));
      expect(heard).toEqual(await rest.events(id));
      expect(heard.at(-1)).toMatchObject({ type: 'result' });
    }
    back.close();
  });

  it('Ctrl-C: who has nothing under way goes at once with 1001, a running completion is finished first, no warning was printed', async () => {
    model.script = () => ({ text: WORDS, chunks: 20, chunkDelayMs: 100 });
    const idle = await StreamClient.open(server.url, keys[1]);
    const busy = await Promise.all(keys.slice(2, 5).map((key) => StreamClient.open(server.url, key)));
    for (const each of busy) each.send({ type: 'completion', id: 'c', prompt: 'x', model: 'haiku' });
    await Promise.all(busy.map((each) => each.until(({ type }) => type === 'token')));
    const stranger = await StreamClient.open(server.url);
    server.child.kill('SIGINT');
    for (const each of [idle, stranger]) expect(await each.end(1_500)).toMatchObject({ code: 1001 });
    busy[0]!.send({ type: 'completion', id: 'late', prompt: 'x', model: 'haiku' });
    expect((await busy[0]!.ended('late'))[0].error.code).toBe('shutting_down');
    for (const each of busy) {
      const events = await each.ended('c');
      expect([textOf(events), events.at(-1).finish_reason]).toEqual([WORDS, 'stop']);
      expect(await each.end()).toMatchObject({ code: 1001 });
    }
    expect(await server.exited()).toBe(0);
    for (const { output } of servers) expect(output).not.toMatch(/Warning|Unhandled|"level":[56]0/);
  });
});
