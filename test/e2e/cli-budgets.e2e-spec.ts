import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelStandIn } from '../support/model-stand-in.js';
import { cleanEnvironment, cleanUp, runCli, ServerProcess } from '../support/server-process.js';
import { until } from '../support/task-api.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

// Each command is a process of its own.
jest.setTimeout(120_000);

/** Rates that the built-in prices do not have: 1 USD for each token of output. */
const PRICES = {
  version: 'ours-3',
  prices: [
    {
      models: ['claude-haiku-5-5'],
      ...{ input: 0, output: 1_000_000, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0 },
    },
  ],
};

describe('claude-api budgets, as its user runs it', () => {
  let home: string;
  let database: TestDatabase;
  let env: Record<string, string>;
  let key: { id: string; kid: string; key: string };
  const cli = (...args: string[]) => runCli(env, args);
  const budgets = (...args: string[]) => cli('budgets', ...args);
  async function json(...args: string[]): Promise<any> {
    const { stdout, stderr } = await budgets(...args, '--json');
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  beforeAll(async () => {
    home = await ServerProcess.temporaryHome();
    database = await createTestDatabase();
    env = cleanEnvironment(home, { DATABASE_URL: database.url });
    await cli('--version'); // builds when the build is stale
    const created = await cli('keys', 'create', '--project-id', 'shop', '--profile', 'pro', '--json');
    key = JSON.parse(created.stdout);
    await cli('keys', 'create', '--project-id', 'bank');
  }, 240_000);
  afterAll(async () => {
    await cleanUp(home, []);
    await database.drop();
  });

  it('leads a budget through its life', async () => {
    const zone = ['--period', 'month', '--time-zone', 'Europe/Berlin'];
    const made = await json('set', '--project', 'shop', '--limit-usd', '20.5', ...zone);
    expect(made).toMatchObject({
      ...{ object: 'budget', project_id: 'shop', key_id: null, unit: 'usd', limit: 20.5, period: 'month' },
      ...{ time_zone: 'Europe/Berlin', window: { remaining: 20.5, granted: 0 } },
    });
    const again = await budgets('set', '--project', 'shop', '--limit-usd', '30', '--period', 'month');
    expect(again).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^limit +30$/m) });
    expect(again.stdout).toContain(made.id);

    const own = await json('set', '--key', key.kid, '--limit-requests', '0', '--period', 'total');
    expect(own).toMatchObject({ key_id: key.id, unit: 'requests', limit: 0, window: { resets_at: null } });
    const granted = await json('grant', own.id, '--amount', '2', '--reason', 'the demo');
    expect(granted.window).toMatchObject({ granted: 2, remaining: 2 });
    const more = await budgets('grant', own.id, '--amount', '1');
    expect(more.stdout).toMatch(/^remaining +3$/m);

    const [newest] = (await json('list', '--limit', '1')).data;
    expect(newest.id).toBe(own.id);
    const listed = await budgets('list', '--project', 'shop');
    expect(listed.stdout).toMatch(new RegExp(`^${made.id} +shop .*usd +30 +month +yes`, 'm'));
    expect((await budgets('list', '--limit', '1')).stderr).toMatch(/there are more: --cursor \w+/);
    expect(await json('show', own.id)).toMatchObject({ id: own.id, window: { granted: 3, remaining: 3 } });

    expect(await budgets('remove', own.id)).toMatchObject({ code: 0, stderr: 'removed\n' });
    expect(await json('remove', made.id)).toMatchObject({ id: made.id });
    expect(await budgets('list')).toEqual({ code: 0, stdout: '', stderr: 'no budgets\n' });
    expect(await json('holds')).toEqual({ data: [], has_more: false, next_cursor: null });
    expect(await budgets('holds', '--project', 'shop')).toMatchObject({ stderr: 'nothing is held\n' });
  });

  it('takes any amount that the API takes', async () => {
    const set = (...limit: string[]) => json('set', '--project', 'bank', '--period', 'day', ...limit);
    const most = String(Number.MAX_SAFE_INTEGER);
    expect((await set('--limit-usd', '1000000000')).limit).toBe(1_000_000_000);
    expect((await set('--limit-usd', '0.000000001')).limit).toBe(1e-9);
    expect((await set('--limit-requests', most)).limit).toBe(Number.MAX_SAFE_INTEGER);
    const { id } = await set('--limit-tokens', most);
    expect((await json('grant', id, '--amount', most)).window.granted).toBe(Number.MAX_SAFE_INTEGER);
  });

  const ofShop = ['set', '--project', 'shop'];
  it.each([
    ['nobody', ['set', '--limit-usd', '1', '--period', 'day'], '--key or --project is needed'],
    ['two subjects', [...ofShop, '--key', 'x', '--limit-usd', '1', '--period', 'day'], '--key or --project'],
    ['no limit', [...ofShop, '--period', 'day'], 'one of --limit-usd, --limit-tokens'],
    ['two limits', [...ofShop, '--limit-usd', '1', '--limit-tokens', '1', '--period', 'day'], 'one of'],
    ['no period', [...ofShop, '--limit-usd', '1'], '--period is needed'],
    ['a bad period', [...ofShop, '--limit-usd', '1', '--period', 'year'], 'period must be one of day, week'],
    ['a negative limit', [...ofShop, '--limit-usd=-1', '--period', 'day'], '--limit-usd must be a number'],
    ['too many dollars', [...ofShop, '--limit-usd', '1000000001', '--period', 'day'], '--limit-usd must be'],
    ['a part of a token', [...ofShop, '--limit-tokens', '1.5', '--period', 'day'], '--limit-tokens must be'],
    ['a limit in words', [...ofShop, '--limit-requests', 'ten', '--period', 'day'], '--limit-requests must'],
    [
      'a bad time zone',
      [...ofShop, '--limit-usd', '1', '--period', 'day', '--time-zone', 'Mars'],
      'time_zone must be the name of a time zone',
    ],
    ['no budget', ['show'], "missing required argument 'budget'"],
    ['no amount', ['grant', 'budget_x'], '--amount is needed'],
    ['a bad amount', ['grant', 'budget_x', '--amount', '1e9'], '--amount must be a number'],
    ['a bad page', ['holds', '--limit', '0'], '--limit must be a whole number from 1 to 200'],
  ])('ends with 2 for %s, and says which field', async (_, args, message) => {
    const { code, stdout, stderr } = await budgets(...args);
    expect({ code, stdout, stderr }).toEqual({
      ...{ code: 2, stdout: '', stderr: expect.stringContaining(message) },
    });
  });

  it.each([
    ['a grant that gives nothing', ['--amount', '0'], 'amount must be'],
    ['a reason of two lines', ['--amount', '1', '--reason', 'a\nb'], 'reason must be'],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { id } = await json('set', '--project', 'bank', '--limit-tokens', '5', '--period', 'week');
    const { code, stdout } = await budgets('grant', id, ...args, '--json');
    const [, param] = /^(\w+)/.exec(message)!;
    expect({ code, body: JSON.parse(stdout) }).toMatchObject({
      ...{ code: 2, body: { error: { code: 'invalid_request', param } } },
    });
  });

  it.each([
    ['key', ['set', '--key', 'key_none', '--limit-usd', '1', '--period', 'day'], 'key'],
    ['project', ['set', '--project', 'nowhere', '--limit-usd', '1', '--period', 'day'], 'project_id'],
    ['budget to show', ['show', 'budget_none'], null],
    ['budget to grant more', ['grant', 'budget_none', '--amount', '1'], null],
    ['budget to remove', ['remove', 'budget_none'], null],
  ])('ends with 1 for a %s that is not there', async (_, args, param) => {
    const { code, stdout, stderr } = await budgets(...args, '--json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: there is no such \w+\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ error: { type: 'not_found_error', param } });
  });

  describe('beside a running server, with prices of its own', () => {
    let model: ModelStandIn;
    let server: ServerProcess;
    beforeAll(async () => {
      model = await ModelStandIn.start();
      const file = join(home, 'prices.json');
      await writeFile(file, JSON.stringify(PRICES));
      Object.assign(env, {
        ...{ PRICES_FILE: file, ANTHROPIC_API_KEY: 'sk-ant-test', ANTHROPIC_BASE_URL: model.url },
        ...{ SANDBOX: 'process' },
      });
      server = await ServerProcess.start(home, env);
    });
    afterAll(async () => {
      await server?.stop();
      await model?.stop();
    });

    async function complete(signal?: AbortSignal): Promise<{ status: number; body: any }> {
      const response = await fetch(`${server.url}/v1/completions`, {
        ...{ method: 'POST', signal },
        headers: { 'content-type': 'application/json', 'x-api-key': key.key },
        body: JSON.stringify({ prompt: 'hi', model: 'haiku', max_tokens: 1, max_cost_usd: 1 }),
      });
      return { status: response.status, body: await response.json() };
    }

    it('a limit, a grant and a removal are in force at once', async () => {
      const { id } = await json('set', '--key', key.id, '--limit-requests', '0', '--period', 'day');
      expect((await complete()).body.error.details).toMatchObject({ budget: id, unit: 'requests' });
      await budgets('grant', id, '--amount', '1');
      expect((await complete()).status).toBe(200);
      expect((await complete()).status).toBe(402);
      await budgets('remove', id);
      expect((await complete()).status).toBe(200);
    });

    it('shows what a run holds while it is under way', async () => {
      const { id } = await json('set', '--key', key.id, '--limit-tokens', '90000', '--period', 'day');
      model.script = () => ({ hang: true });
      const leaving = new AbortController();
      const running = complete(leaving.signal);
      const hold = await until(
        'it holds something',
        async () => (await json('holds')).data[0],
        (found) => found !== undefined,
      );
      expect(hold).toMatchObject({ key_id: key.id, budgets: [id], kind: 'completion' });
      expect((await budgets('holds')).stdout).toContain(hold.run_id);
      leaving.abort();
      await expect(running).rejects.toThrow('aborted');
      await until(
        'nothing is held',
        () => json('holds'),
        ({ data }) => data.length === 0,
      );
    });

    it('charges by PRICES_FILE, and doctor and config show name it', async () => {
      model.script = () => ({ outputTokens: 1 });
      expect((await complete()).body).toMatchObject({ cost_usd: 1, usage: { output_tokens: 1 } });
      const doctor = await server.cli('doctor');
      expect(doctor.stdout).toMatch(/^ok +prices +ours-3: .+prices\.json over the built-in ones$/m);
      expect((await cli('config', 'show')).stdout).toMatch(/^PRICES_FILE +.+prices\.json +environment$/m);
    });
  });
});
