import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { cleanEnvironment, runCli } from '../support/server-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { addRun } from '../support/usage-ledger.js';

describe('claude-api usage, as its user runs it', () => {
  let home: string;
  let database: TestDatabase;
  let here: LedgerProcess;
  const cli = (...args: string[]) =>
    runCli(cleanEnvironment(home, { DATABASE_URL: database.url }), ['usage', ...args]);
  const MARCH = ['--from', '2026-03-01', '--to', '2026-04-01'];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'usage-cli-'));
    database = await createTestDatabase();
    here = await startLedgerProcess(database.url);
    const noon = (second: number) => new Date(Date.parse('2026-03-05T12:00:00Z') + second * 1_000);
    const usage = (cost: number | null) => [{ model: 'claude-haiku-5-5', input: 1_000, output: 100, cost }];
    await addRun(here, { at: noon(0), project: 'shop', usage: usage(2_000_000_000) });
    await addRun(here, { at: noon(1), project: 'shop', usage: usage(null), outcome: 'failed' });
    await addRun(here, { at: noon(2), project: 'bank', keyId: 'key_9', usage: usage(1) });
    await cli('--help'); // builds when the build is stale
  }, 180_000);
  afterAll(async () => {
    await here?.stop();
    await database?.drop();
    await rm(home, { recursive: true, force: true });
  });

  it('summary tells the totals, and what nobody knows', async () => {
    const { code, stdout, stderr } = await cli('summary', ...MARCH);
    expect(code).toBe(0);
    expect(stdout).toMatch(/total_cost_usd +2\.000000001\n/);
    expect(stdout).toMatch(/runs +3\n/);
    expect(stderr).toBe('nobody knows the cost of 1 runs: it is in no sum\n');
    const json = JSON.parse((await cli('summary', ...MARCH, '--project', 'bank', '--json')).stdout);
    expect(json).toMatchObject({ runs: 1, total_cost_usd: 1e-9, data: [{ day: '2026-03-05' }] });
    expect((await cli('by-model', '--period', 'day')).stderr).toBe('no runs\n');
  });

  it('by-project and by-model tell who and what', async () => {
    const projects = await cli('by-project', ...MARCH);
    expect(projects.stdout).toMatch(
      /^PROJECT +RUNS +FAILED +TOKENS .*\nshop +2 +1 +2212 +2 .*\nbank +1 +0 +1106 /,
    );
    const models = await cli('by-model', ...MARCH, '--key', 'key_9');
    expect(models.stdout).toMatch(/\nclaude-haiku-5-5 +1 +0 +1106 +1e-9 +0 +0\n$/);
  });

  it('export writes lines or a table', async () => {
    const lines = (await cli('export', ...MARCH)).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).cost_usd)).toEqual([2, null, 1e-9]);
    const table = await cli('export', ...MARCH, '--project', 'bank', '--format', 'csv');
    expect(table.stdout).toMatch(
      /^run_id,started_at,.*\r\nrun_\w+,2026-03-05T12:00:02\.000000Z,.*,0\.000000001,billed,v1\r\n$/,
    );
  });

  it('rebuild says what was wrong, ends with 1, and the next time with 0', async () => {
    expect((await cli('rebuild')).stdout).toBe('');
    await here.rows(
      `INSERT INTO usage_rollups (grain, bucket, project, key_id, model, runs, failed_runs, unknown_cost_runs, calls)
       VALUES ('hour', '2026-03-05T12:00:00Z', 'ghost', 'k', 'm', 1, 0, 0, 0)`,
    );
    const wrong = await cli('rebuild', '--json');
    expect({ code: wrong.code, body: JSON.parse(wrong.stdout) }).toMatchObject({
      code: 1,
      body: { ok: false, found: 1, differences: [{ grain: 'hour', project: 'ghost', computed: null }] },
    });
    expect(await cli('rebuild')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^every sum is what the ledger says: \d+ days\n$/),
    });
  });

  it.each([
    ['a period that is none', ['summary', '--period', 'year'], 'period must be one of day, week, month'],
    ['a bad time', ['summary', '--from', 'yesterday'], 'from must be a date'],
    ['a bad zone', ['by-model', '--time-zone', 'Mars'], 'time_zone must be'],
    ['a bad format', ['export', '--format', 'xml'], '--format must be jsonl or csv'],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { code, stderr } = await cli(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });
});
