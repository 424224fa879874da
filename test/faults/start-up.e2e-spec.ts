import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelStandIn } from '../support/model-stand-in.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';

jest.setTimeout(120_000);

/** What the operator sees: the lines that are not blank, without the stack that must not be there. */
function lines(output: string): string[] {
  expect(output).not.toMatch(/\n\s+at /);
  return output.split('\n').filter((line) => line.trim() !== '');
}

describe('starting with something wrong', () => {
  const servers: ServerProcess[] = [];
  let home: string;

  beforeEach(async () => {
    home = await ServerProcess.temporaryHome();
  });
  afterEach(() => cleanUp(home, servers.splice(0)));

  async function failsToStart(env: Record<string, string>): Promise<string> {
    const server = await ServerProcess.spawn(home, env);
    servers.push(server);
    expect(await server.exited()).not.toBe(0);
    const said = lines(server.output);
    expect(said).toHaveLength(1);
    return said[0] ?? '';
  }

  it('row 46: a taken port is named, and nothing is left running', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((ready) => taken.once('listening', ready));
    const { port } = taken.address() as AddressInfo;
    try {
      expect(await failsToStart({ PORT: String(port) })).toMatch(new RegExp(`${port}.*taken.*PORT`));
    } finally {
      taken.close();
    }
  });

  it('a second server on one data folder is refused, and the first goes on', async () => {
    const first = await ServerProcess.start(home);
    servers.push(first);
    const second = await ServerProcess.spawn(home);
    servers.push(second);
    expect(await second.exited()).not.toBe(0);
    expect(lines(second.output)).toEqual([expect.stringMatching(/already.*CLAUDE_API_HOME/)]);
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });

  it.each([
    ['postgres://postgres:hunter2@127.0.0.1:1/nowhere', /database/i],
    ['mysql://somewhere', /DATABASE_URL/],
  ])('a wrong DATABASE_URL (%s) is one line without the password', async (url, expected) => {
    const line = await failsToStart({ DATABASE_URL: url });
    expect(line).toMatch(expected);
    expect(line).not.toContain('hunter2');
  });

  it('Ctrl-C while it starts leaves no Postgres behind', async () => {
    const server = await ServerProcess.spawn(home);
    servers.push(server);
    const pidFile = async () => {
      const inside = join(home, 'data', 'postgres');
      const folder = await readFile(join(home, 'data', 'postgres-folder'), 'utf8').catch(() => inside);
      return readFile(join(folder.trim(), 'data', 'postmaster.pid'), 'utf8').catch(() => undefined);
    };
    while ((await pidFile()) === undefined && server.exitCode === undefined) await sleep(5);
    expect(await server.stop()).toBe(0);
    expect(await pidFile()).toBeUndefined();
  });

  it('a data folder that cannot be written is named', async () => {
    expect(await failsToStart({ CLAUDE_API_HOME: '/dev/null/data' })).toMatch(
      /\/dev\/null\/data.*CLAUDE_API_HOME/,
    );
  });

  it.each([
    ['PORT', 'eighty'],
    ['MAX_RUNS', '0'],
    ['CLAUDE_CODE_USE_BEDROCK', '1'],
    ['ANTHROPIC_API_KEY', 'sk-ant-…'],
    ['PRICES_FILE', '/nowhere/prices.json'],
    // Boxes of a service that runs as root are somebody else's, who cannot pass here.
    ...(process.getuid?.() === 0 ? [['BLOB_DIR', '/root/blobs']] : []),
  ])('a setting that cannot work is named: %s=%s', async (name = '', value = '') => {
    expect(await failsToStart({ [name]: value })).toContain(name);
  });

  it('without a credential it serves, says so, and answers 503 with the fix', async () => {
    const server = await ServerProcess.start(home);
    servers.push(server);
    expect(server.output).toMatch(/credential.*ANTHROPIC_API_KEY/i);
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    const { key } = await server.createKey();
    const answer = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ prompt: 'hi' }),
    });
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    expect([answer.status, error.code]).toEqual([503, 'credential_unavailable']);
    expect(error.message).toContain('ANTHROPIC_API_KEY');
  });

  it('with a refused credential /ready flips after two refusals and heals on success', async () => {
    const model = await ModelStandIn.start();
    model.script = () => ({ status: 401 });
    const server = await ServerProcess.start(home, {
      CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat-test',
      ANTHROPIC_BASE_URL: model.url,
    });
    servers.push(server);
    const { key } = await server.createKey();
    const complete = async () =>
      (
        await fetch(`${server.url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-api-key': key },
          body: JSON.stringify({ prompt: 'hi', model: 'haiku' }),
        })
      ).status;
    const ready = async () => (await fetch(`${server.url}/ready`)).status;
    expect(await ready()).toBe(200);
    expect([await complete(), await complete()]).toEqual([503, 503]);
    expect(await ready()).toBe(503);
    model.script = () => ({});
    expect(await complete()).toBe(200);
    expect(await ready()).toBe(200);
    // The subscription's token goes out as a bearer, with the beta that the CLI adds for it.
    const sent = model.journal.at(-1)?.headers;
    expect(sent?.authorization).toBe('Bearer sk-ant-oat-test');
    expect(sent?.['anthropic-beta']).toContain('oauth');
    await model.stop();
  });
});
