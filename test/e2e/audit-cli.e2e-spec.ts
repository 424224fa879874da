import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Checkpoints } from '@app/audit';
import { loadConfig } from '@app/config';
import { StructuredLog } from '../../apps/api/src/logging/structured-log.js';
import { AUDIT_KEY, AuditProcess } from '../support/audit-process.js';
import { cleanEnvironment, runCli } from '../support/server-process.js';

const LAUNCHER = resolve(__dirname, '../../bin/claude-api.cjs');

describe('claude-api audit, as its user runs it', () => {
  let home: string;
  let here: AuditProcess;
  let env: Record<string, string>;
  let file: string;
  const cli = (...args: string[]) => runCli(env, ['audit', ...args]);
  /** Without a database, and with no more than is said. */
  const elsewhere = (more: Record<string, string>, ...args: string[]) =>
    runCli(cleanEnvironment(join(home, 'elsewhere'), more), ['audit', ...args]);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'audit-cli-'));
    file = join(home, 'audit.jsonl');
    here = await AuditProcess.start();
    env = cleanEnvironment(home, { DATABASE_URL: here.databaseUrl, AUDIT_KEY });
    await here.append(3);
    await here.append(2, { project: 'other', outcome: 'denied' });
    await cli('--version'); // builds when the build is stale
  }, 180_000);
  afterAll(async () => {
    await here?.stop();
    await rm(home, { recursive: true, force: true });
  });

  it('lists by filters, as a table or as JSON', async () => {
    const listed = await cli('list', '--project', 'other', '--outcome', 'denied', '--limit', '1');
    expect(listed.stdout).toMatch(/key\.created +operator terminal +key key_2 +denied/);
    expect(listed.stderr).toMatch(/there are more: --cursor \w+/);
    const json = JSON.parse((await cli('list', '--target', 'key_3', '--json')).stdout);
    expect(json).toMatchObject({ data: [{ project: 'my-app', seq: 3 }], has_more: false });
    expect((await cli('list', '--from', '2100-01-01')).stderr).toBe('no events\n');
  });

  it.each([
    ['an unknown type', ['list', '--type', 'key.eaten'], 'type must be one of key.created'],
    ['a bad time', ['list', '--from', 'yesterday'], '--from must be a time'],
    ['a bad format', ['export', '--format', 'xml'], '--format must be jsonl or csv'],
    ['a project beside a file', ['verify', 'x', '--project', 'y'], 'a file is verified whole'],
    ['a public key without a file', ['verify', '--public-key', 'x'], 'are for a file'],
    ['a file that is not there', ['verify', '/nowhere'], 'cannot read /nowhere (ENOENT)'],
    ['a public key that is none', ['verify', '/dev/null', '--public-key', 'x'], 'must look like ed25519:'],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { code, stderr } = await cli(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });

  it('exports, and verifies the file in a process that has no database', async () => {
    const exported = await cli('export');
    expect(exported).toMatchObject({ code: 0, stderr: '' });
    await writeFile(file, exported.stdout);
    const { stdout: key } = await elsewhere({ AUDIT_KEY }, 'public-key');
    for (const [more, args] of [
      [{ AUDIT_KEY }, []],
      [{}, ['--public-key', key.trim()]],
    ] as const) {
      const verified = await elsewhere(more, 'verify', file, ...args);
      expect(verified).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^ok +my-app +events 1 to 3 +signed to 3/),
      });
      expect(verified.stderr).toMatch(/^the audit is as it was written: 6 events of 3 projects in \d+ ms\n$/);
    }
    const foreign = await elsewhere({ AUDIT_KEY: 'x'.repeat(32) }, 'verify', file);
    expect(foreign).toMatchObject({ code: 1, stdout: expect.stringContaining('other_key') });
    expect(foreign.stderr).toContain(`it names the key ${key.trim()}`);
  });

  it('ends with 1 and names the first bad event of a file', async () => {
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"outcome":"denied"', '"outcome":"ok"'));
    const verified = await elsewhere({ AUDIT_KEY }, 'verify', file);
    expect(verified).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^broken +other +event 1: .+\(edited\)$/m),
    });
    const json = JSON.parse((await elsewhere({ AUDIT_KEY }, 'verify', file, '--json')).stdout);
    expect(json).toMatchObject({
      ok: false,
      chains: [{ ok: true }, { ok: true }, { project: 'other', fault: { seq: 1, flaw: 'edited' } }],
    });
    await writeFile(file, 'nonsense\n');
    expect(await elsewhere({ AUDIT_KEY }, 'verify', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its line 1'),
    });
  });

  it('follows what happens, each event once', async () => {
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'audit', 'tail', '-f', '-n', '1', '--project', 'my-app', '--json'],
      { env },
    );
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const seqs = () =>
      output
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).seq);
    const until = async (count: number) => {
      for (const end = Date.now() + 15_000; seqs().length < count && Date.now() < end;) await sleep(50);
    };
    await until(1);
    await here.append(2);
    await until(3);
    await here.append(1);
    await until(4);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect({ seqs: seqs(), code }).toEqual({ seqs: [3, 4, 5, 6], code: 0 });
  });

  it('verifies the database, and ends with 1 for what somebody changed there', async () => {
    expect((await cli('verify', '--project', 'my-app')).code).toBe(0);
    expect(await cli('verify', '--project', 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no such project'),
    });
    await here.tamper("DELETE FROM audit_events WHERE project = 'my-app' AND seq = 2");
    const verified = await cli('verify');
    expect(verified).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^broken +my-app +event 2: .+\(missing\)$/m),
    });
  });

  it('finds in a copy of the log what somebody cut off with every trace in the database', async () => {
    let log = '';
    const config = loadConfig({}, { CLAUDE_API_HOME: here.home, AUDIT_KEY, LOG_LEVEL: 'info' });
    here.app.useLogger(new StructuredLog(config, { write: (line) => (log += line) }));
    await here.append(4, { project: 'cut' });
    await here.app.get(Checkpoints).sign('cut');
    here.app.useLogger(false);
    const copy = join(home, 'service.log');
    await writeFile(copy, `a line of something else\n{"kind":"checkpoint","broken":\n${log}`);
    await here.tamper(`DELETE FROM audit_events WHERE project = 'cut' AND seq > 2;
      DELETE FROM audit_checkpoints WHERE project = 'cut';
      UPDATE audit_heads SET seq = 2, mac = (SELECT mac FROM audit_events WHERE project = 'cut' AND seq = 2)
      WHERE project = 'cut'`);
    await writeFile(file, (await cli('export', '--project', 'cut')).stdout);

    expect((await cli('verify', '--project', 'cut')).code).toBe(0);
    expect((await elsewhere({ AUDIT_KEY }, 'verify', file)).code).toBe(0);
    const { stdout: key } = await elsewhere({ AUDIT_KEY }, 'public-key');
    const found = await elsewhere({}, 'verify', file, '--public-key', key.trim(), '--anchors', copy);
    expect(found).toMatchObject({ code: 1, stdout: expect.stringMatching(/^broken +cut +/) });
  });
});
