import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Prices } from '../../libs/budgets/src/prices.js';
import { RunAccount } from '../../libs/budgets/src/run-account.js';
import { loadConfig } from '@app/config';
import { BoundRun } from '../../libs/executor/src/broker/bound-run.js';
import { Broker } from '../../libs/executor/src/broker/broker.js';
import { ModelCalls } from '../../libs/executor/src/broker/model-calls.js';
import { Pass } from '../../libs/executor/src/broker/pass.js';
import { Upstream } from '../../libs/executor/src/broker/upstream.js';
import { CredentialHealth } from '../../libs/executor/src/credential-health.js';
import { ModelStandIn } from '../support/model-stand-in.js';

jest.setTimeout(60_000);

const MODEL = 'claude-haiku-5-5';
const MEBIBYTE = 1024 * 1024;
const CENT = 10_000_000n;

/** What Bash in a box can do with the token and the socket of its run: everything that HTTP allows. */
describe('the token of a task in hostile hands', () => {
  let home: string;
  let model: ModelStandIn;
  let broker: Broker;
  let account: RunAccount;
  let socketPath: string;
  let token: string;
  let release: () => Promise<void>;
  let runs = 0;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'broker-abuse-'));
    model = await ModelStandIn.start();
    const config = loadConfig(
      {},
      { CLAUDE_API_HOME: home, ANTHROPIC_API_KEY: 'sk-ant-canary', ANTHROPIC_BASE_URL: model.url },
    );
    broker = new Broker(new ModelCalls(new Upstream(config), new CredentialHealth(config)));
  });
  beforeEach(async () => {
    model.reset();
    socketPath = join(home, `${(runs += 1)}.sock`);
    account = new RunAccount({
      ...{ limitNano: CENT, budgeted: false, prices: new Prices() },
      extend: async ({ mostTokens }) => ({ maxTokens: mostTokens }),
    });
    const run = { runId: `run_${runs}`, model: MODEL, sampling: {}, meter: account, agentic: { models: [] } };
    ({ token, release } = await broker.open(Pass.of(new BoundRun(run)), socketPath));
  });
  afterEach(() => release());
  afterAll(async () => {
    await broker.onApplicationShutdown();
    await model.stop();
    await rm(home, { recursive: true });
  });

  const message = (over = {}) => ({
    ...{ model: MODEL, max_tokens: 1_000, stream: true },
    messages: [{ role: 'user', content: 'hi' }],
    ...over,
  });
  /** `leaveAt`: the caller goes away as soon as it has read this. */
  const call = (body: object | string, leaveAt?: string): Promise<{ status?: number; body: string }> =>
    new Promise((done, fail) => {
      const headers = { 'x-api-key': token, 'content-type': 'application/json' };
      const asked = request({ agent: false, socketPath, path: '/v1/messages', method: 'POST', headers });
      asked.on('response', async (answer) => {
        if (leaveAt === undefined) return done({ status: answer.statusCode, body: await text(answer) });
        let read = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          read += piece;
          if (!read.includes(leaveAt)) return;
          asked.destroy();
          done({ status: answer.statusCode, body: read });
        });
        answer.on('end', () => done({ status: answer.statusCode, body: read }));
        answer.on('error', () => undefined);
      });
      asked.on('error', fail);
      asked.end(typeof body === 'string' ? body : JSON.stringify(body));
    });

  it.each([
    ['as soon as it has what it wants', 'NOW'],
    ['before the first event', 'event'],
  ])('pays for the whole answer, also when it goes away %s', async (_, leaveAt) => {
    // A thousand tokens are a twentieth of a cent, and the run may cost one.
    model.script = () => ({
      text: 'NOW, and then a little of nothing',
      chunks: 5,
      chunkDelayMs: 15,
      outputTokens: 1_000,
    });
    let answers = 0;
    for (; answers < 60; answers += 1) {
      if ((await call(message(), leaveAt)).status !== 200) break;
      await sleep(120);
    }
    expect(answers).toBeLessThanOrEqual(20);
    expect(account.usage[0]?.outputTokens).toBe(answers * 1_000);
  });

  it.each([
    ['servers of its own', { mcp_servers: [{ type: 'url', url: 'https://evil.example', name: 'x' }] }],
    ['a container', { container: 'container_of_somebody_else' }],
    ['a dearer speed', { speed: 'fast' }],
    ['the web', { tools: [{ type: 'web_fetch_20250910', name: 'web_fetch' }] }],
    ['a search', { tools: [{ name: 'fine' }, { type: 'web_search_20250305', name: 'web_search' }] }],
    [
      'an image of the web',
      turnOf({ type: 'image', source: { type: 'url', url: 'https://evil.example/?secret' } }),
    ],
    ['a file of somebody', turnOf({ type: 'document', source: { type: 'file', file_id: 'file_1' } })],
    [
      'an image in a result',
      turnOf({
        type: 'tool_result',
        tool_use_id: 't',
        content: [{ type: 'image', source: { type: 'url', url: 'x' } }],
      }),
    ],
  ])('does not reach the world through the model’s API: %s', async (_, over) => {
    const answer = await call(message(over));
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('no run may')]);
    expect(model.journal).toHaveLength(0);
  });

  it('still sends what tools of its own are given, whatever that looks like', async () => {
    const input = { source: { type: 'url', url: 'https://example.com' } };
    const messages = [
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'Write', input }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'done' }] },
    ];
    expect((await call(message({ messages, tools: [{ name: 'Write', input_schema: {} }] }))).status).toBe(
      200,
    );
  });

  it('cannot fill the memory of the service with calls that it does not finish', async () => {
    const sockets: Socket[] = [];
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${token}\r\ncontent-length: ${32 * MEBIBYTE}\r\n\r\n`;
    for (let each = 0; each < 30; each += 1) {
      const socket = connect(socketPath).on('error', () => undefined);
      socket.write(head);
      socket.write(Buffer.alloc(31 * MEBIBYTE, ' '));
      sockets.push(socket);
    }
    await sleep(4_000);
    const held = sockets
      .filter(({ closed }) => !closed)
      .reduce((sum, { bytesWritten, writableLength }) => sum + bytesWritten - writableLength, 0);
    for (const socket of sockets) socket.destroy();
    expect(held).toBeLessThan(200 * MEBIBYTE);
    // The run itself is not locked out for it.
    await sleep(200);
    expect((await call(message())).status).toBe(200);
  });

  it('cannot take the descriptors of the service', async () => {
    const sockets = Array.from({ length: 1_000 }, () => connect(socketPath).on('error', () => undefined));
    await sleep(1_000);
    const open = sockets.filter((socket) => !socket.closed && !socket.readableEnded).length;
    for (const socket of sockets) socket.destroy();
    expect(open).toBeLessThanOrEqual(128);
    await sleep(200);
    expect((await call(message())).status).toBe(200);
  });

  it('cannot keep the service at work with calls that come to nothing', async () => {
    // All of it has to be parsed before anything can be said.
    const junk = `{"junk":[${'[],'.repeat(2_500_000)}[]]}`;
    let answered = 0;
    for (; answered < 100; answered += 1) if (!(await call(junk).catch(() => undefined))) break;
    expect(answered).toBeLessThanOrEqual(20);
    await expect(call(message())).rejects.toThrow();
  });
});

function turnOf(block: object): object {
  return { messages: [{ role: 'user', content: [block] }] };
}
