import { setTimeout as sleep } from 'node:timers/promises';
import { Bootstrap, KeysService, operatorPrincipal } from '@app/auth';
import { type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { startTestService, type TestService } from '../support/test-service.js';
import { addRun } from '../support/usage-ledger.js';

describe('usage over HTTP', () => {
  let service: TestService;
  let ledger: LedgerProcess;
  /** Of the installation, and of the project shop. */
  let admin: string;
  let shopAdmin: string;
  let shop: { id: string; key: string };
  let bank: { id: string; key: string };

  beforeAll(async () => {
    service = await startTestService();
    ledger = await startLedgerProcess(service.databaseUrl);
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
    const make = service.app.get(KeysService);
    shopAdmin = (await make.create(operatorPrincipal(), { project: 'shop', admin: true })).key;
    [shop, bank] = [await service.key('pro', 'shop'), await service.key('pro', 'bank')];
    const usage = (model: string, cost: number | null) => [{ model, input: 100, output: 10, cost }];
    const model = 'claude-haiku-5-5';
    for (const [key, project] of [
      [shop.id, 'shop'],
      [bank.id, 'bank'],
    ] as const) {
      const run = { project, keyId: key };
      await addRun(ledger, {
        ...run,
        at: new Date('2026-03-01T23:30:00Z'),
        usage: usage(model, 1_500_000_000),
      });
      await addRun(ledger, {
        ...run,
        at: new Date('2026-03-02T12:00:00Z'),
        usage: usage('claude-sonnet-5', 250),
      });
      await addRun(ledger, {
        ...run,
        at: new Date('2026-03-02T13:00:00Z'),
        model: '=1+1',
        usage: usage('=1+1', null),
      });
    }
  });
  afterAll(async () => {
    await ledger?.stop();
    await service?.stop();
  });

  async function get(path: string, key: string) {
    const response = await fetch(`${service.url}/v1/${path}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const answer = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json;');
    const { status, headers } = response;
    return { status, headers, text: answer, body: isJson ? JSON.parse(answer) : null };
  }
  const MARCH = 'from=2026-03-01&to=2026-04-01';

  it('200 tells a key what its project used, and of no other', async () => {
    const { status, body } = await get(`usage?${MARCH}`, shop.key);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ period: null, from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z', time_zone: 'UTC' },
      ...{ group_by: 'model', total_cost_usd: 1.50000025, total_notional_cost_usd: 0, total_tokens: 348 },
      ...{ runs: 3, failed_runs: 0, unknown_cost_runs: 1, has_more: false },
    });
    expect(body.data.map((row: any) => [row.model, row.runs, row.cost_usd])).toEqual([
      ['claude-haiku-5-5', 2, 1.5],
      ['claude-sonnet-5', 0, 0.00000025],
      ['=1+1', 1, null],
    ]);
    expect(await get(`usage?${MARCH}&group_by=key`, shop.key)).toMatchObject({
      body: { runs: 3, data: [{ key_id: shop.id, runs: 3, model_calls: 6 }] },
    });
  });

  it('200 begins days where the caller does', async () => {
    const days = async (zone: string) =>
      (await get(`usage?${MARCH}&group_by=day&time_zone=${zone}`, shop.key)).body.data.map((row: any) => [
        ...[row.day, row.runs],
      ]);
    expect(await days('UTC')).toEqual([
      ['2026-03-01', 1],
      ['2026-03-02', 2],
    ]);
    expect(await days('Asia/Kathmandu')).toEqual([['2026-03-02', 3]]);
  });

  it('200 has what a run used as soon as it has ended, in each period', async () => {
    const ran = await service.post('/v1/completions', { prompt: 'hi', model: 'haiku' }, bank.key);
    expect(ran.status).toBe(200);
    for (const period of ['day', 'week', 'month']) {
      const { body } = await get(`usage?period=${period}`, bank.key);
      expect(body).toMatchObject({ period, runs: 1, total_cost_usd: ran.body.cost_usd });
      expect(body.total_tokens).toBe(ran.body.usage.total_tokens);
      expect(body.data).toMatchObject([{ model: ran.body.model, runs: 1, model_calls: 1 }]);
      expect(Date.parse(body.to)).toBeGreaterThan(Date.parse(body.from));
    }
    expect((await get('usage', bank.key)).body).toMatchObject({ period: 'month', group_by: 'model' });
  });

  it("200 shows what the key is held to: its own budgets and its project's", async () => {
    const own = await ledger.budget({ project: 'shop', keyId: shop.id, limit: 5_000_000_000, period: 'day' });
    const whole = await ledger.budget({ project: 'shop', unit: 'requests', limit: 100 });
    const other = (await service.key('pro', 'shop')).id;
    await ledger.budget({ project: 'shop', keyId: other, limit: 1 });
    await ledger.budget({ project: 'bank', limit: 1_000_000_000_000 });
    const { budgets } = (await get('usage', shop.key)).body;
    expect(budgets.map(({ id, limit, window }: any) => [id, limit, window.remaining])).toEqual([
      [own, 5, 5],
      [whole, 100, 100],
    ]);
    expect((await get('usage', bank.key)).body.budgets).toHaveLength(1);
    expect((await get('admin/usage', admin)).body.budgets).toBe(undefined);
  });

  it('200 tells administrators what projects used, one of a single project only its own', async () => {
    const rows = async (query: string, key = admin) => {
      const { body } = await get(`admin/usage?${MARCH}${query}`, key);
      return body.data.map((row: any) => [row.project ?? row.key_id ?? row.day ?? row.model, row.runs]);
    };
    expect((await rows('')).toSorted()).toEqual([
      ['bank', 3],
      ['shop', 3],
    ]);
    expect(await rows('', shopAdmin)).toEqual([['shop', 3]]);
    expect(await rows('&project=bank', shopAdmin)).toEqual([]);
    expect(await rows(`&key=${bank.id}`, shopAdmin)).toEqual([]);
    expect(await rows(`&group_by=key&project=bank`)).toEqual([[bank.id, 3]]);
    expect(await rows(`&group_by=day&model=claude-haiku-5-5&key=${shop.id}`)).toEqual([
      ['2026-03-01', 1],
      ['2026-03-02', 1],
    ]);
    const { body } = await get(`admin/usage?${MARCH}&limit=1`, admin);
    expect(body).toMatchObject({ runs: 6, has_more: true, data: [{ runs: 3 }] });
  });

  it.each([
    ['period=year', 'period'],
    ['period=day&period=week', 'period'],
    ['period=day&from=2026-03-01', 'period'],
    ['from=yesterday', 'from'],
    ['from=2026-02-30', 'from'],
    ['from=2026-03-01T00:00:00', 'from'],
    ['from=2020-01-01', 'from'],
    ['from=2126-01-01', 'from'],
    ['from=2026-03-01&to=2026-03-01', 'to'],
    ['to=2026-03-01', 'from'],
    ['time_zone=Mars/Olympus', 'time_zone'],
    ['time_zone=%2B05:00', 'time_zone'],
    ["time_zone=UTC';--", 'time_zone'],
    ['group_by=project', 'group_by'],
    ['project=bank', 'project'],
    ['unknown=1', 'unknown'],
  ])('400 refuses ?%s and names the field', async (query, param) => {
    const { status, body } = await get(`usage?${query}`, shop.key);
    expect([status, body?.error?.type, body?.error?.param]).toEqual([400, 'invalid_request_error', param]);
  });

  it.each([
    ['usage?limit=0', 'limit'],
    ['usage?project=../x', 'project'],
    ['usage?key=%01', 'key'],
    ['usage/export?format=xml', 'format'],
    ['usage/export?from=never', 'from'],
  ])('400 refuses admin/%s and names the field', async (query, param) => {
    const { status, body } = await get(`admin/${query}`, admin);
    expect([status, body?.error?.param]).toEqual([400, param]);
  });

  it('401 and 403 without a key, and without the right', async () => {
    expect((await get('usage', 'nonsense')).status).toBe(401);
    for (const path of ['admin/usage', 'admin/usage/export']) {
      expect((await get(path, shop.key)).status).toBe(403);
      expect((await get(path, 'nonsense')).status).toBe(401);
    }
  });

  it('200 exports lines, and a table that no spreadsheet runs', async () => {
    const jsonl = await get(`admin/usage/export?${MARCH}`, shopAdmin);
    expect(jsonl.headers.get('content-type')).toBe('application/jsonl; charset=utf-8');
    expect(jsonl.headers.get('content-disposition')).toBe('attachment; filename="usage.jsonl"');
    const lines = jsonl.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ project, model, cost_usd }) => [project, model, cost_usd])).toEqual([
      ['shop', 'claude-haiku-5-5', 1.5],
      ['shop', 'claude-sonnet-5', 0.00000025],
      ['shop', '=1+1', null],
    ]);
    expect(lines[0]).toMatchObject({
      input_tokens: 100,
      started_at: '2026-03-01T23:30:00.000000Z',
      kind: 'completion',
    });

    const csv = await get(`admin/usage/export?${MARCH}&format=csv&key=${bank.id}`, admin);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const [head, ...rows] = csv.text
      .trimEnd()
      .split('\r\n')
      .map((row) => row.split(','));
    const column = (name: string) => rows.map((row) => row[head!.indexOf(name)]);
    expect(column('model')).toEqual(['claude-haiku-5-5', 'claude-sonnet-5', "'=1+1"]);
    expect(column('cost_usd')).toEqual(['1.500000000', '0.000000250', '']);
    expect((await get(`admin/usage/export?${MARCH}&project=bank`, shopAdmin)).text).toBe('');
    const one = await get(`admin/usage/export?${MARCH}&model=claude-sonnet-5`, admin);
    expect(one.text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('200 exports more than fits into a page, each line once, and stops for a reader that went away', async () => {
    await ledger.rows(
      `INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, started_at,
                         ended_at, outcome, cost_nano, cost_kind)
       SELECT 'run_' || lpad(to_hex(1000000 + n), 32, '0'), 'big', 'k', 'task', 'm', 1, 'i', 'o', at, at, at, 'succeeded', n, 'billed'
         FROM (SELECT n, timestamptz '2026-01-01' + (n / 7) * interval '1 second' AS at
                 FROM generate_series(1, 25000) n) runs`,
    );
    const path = 'admin/usage/export?from=2026-01-01&to=2026-02-01&project=big';
    const whole = (await get(path, admin)).text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(whole).toHaveLength(25_000);
    expect(new Set(whole.map(({ run_id }) => run_id)).size).toBe(25_000);
    expect(whole.map(({ started_at }) => started_at)).toEqual(
      whole.map(({ started_at }) => started_at).toSorted(),
    );

    const gone = new AbortController();
    const reading = await fetch(`${service.url}/v1/${path}`, {
      headers: { authorization: `Bearer ${admin}` },
      signal: gone.signal,
    });
    await reading.body!.getReader().read();
    gone.abort();
    await sleep(50);
    expect((await get('usage', shop.key)).status).toBe(200);
  });
});
