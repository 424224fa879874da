import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@app/config';
import { BubblewrapSandbox } from './bubblewrap-sandbox.js';
import { chooseSandbox } from './choose-sandbox.js';
import { RunFolders } from './run-folders.js';

describe('what the machine’s walls are', () => {
  it('is found the same on a busy machine, where bubblewrap’s word of a box is read after the box’s own', async () => {
    const home = await mkdtemp(join(tmpdir(), 'probe-'));
    const config = loadConfig({}, { CLAUDE_API_HOME: home, SANDBOX: 'auto', ANTHROPIC_API_KEY: 'x' });
    const folders = new RunFolders(config);
    // As it came in 2 of 40 starts beside six busy loops.
    const late = jest.spyOn(BubblewrapSandbox.prototype, 'memoryOf').mockReturnValueOnce(0);
    expect((await chooseSandbox(config, folders)).isolation.level).toBe('strong');
    expect(late).toHaveBeenCalledTimes(2);
    await folders.removeOwn();
    await rm(home, { recursive: true });
  });
});
