import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(120_000);

const DELTA = JSON.stringify({
  ...{ type: 'stream_event', parent_tool_use_id: null, session_id: 's', uuid: 'u' },
  event: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x'.repeat(4000) } },
});

/** Bash in a box runs as the CLI's own user: it can write into its memory, and so make it say anything. */
describe('what claims to be the CLI', () => {
  let folder: string;
  let service: TestService;

  async function serve(script: string): Promise<void> {
    folder = await mkdtemp(join(tmpdir(), 'false-cli-'));
    await chmod(folder, 0o755);
    const path = join(folder, 'claude');
    await writeFile(path, `#!/bin/bash\n${script}\n`, { mode: 0o755 });
    service = await startTestService({ CLAUDE_CLI_PATH: path });
  }
  afterEach(async () => {
    await service.stop();
    await rm(folder, { recursive: true });
  });

  it('13: says a line without end: its run fails, the service goes on', async () => {
    await serve(`tr '\\0' x < /dev/zero`);
    const { key } = await service.key();
    const { body } = await service.post('/v1/task', { description: 'go', timeout_seconds: 60 }, key);
    expect([body.status, body.error.code]).toEqual(['failed', 'cli_crashed']);
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
  });

  it('13: says more than anybody can write down: it ends at its deadline, and the memory of the service holds', async () => {
    await serve(`yes '${DELTA}'`);
    const { key } = await service.key();
    const before = process.memoryUsage().rss;
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
    const startedAt = performance.now();
    const { body } = await service.post('/v1/task', { description: 'go', timeout_seconds: 10 }, key);
    clearInterval(look);
    expect(body.status).toBe('timed_out');
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    expect(most - before).toBeLessThan(600 * 1024 * 1024);
  });
});
