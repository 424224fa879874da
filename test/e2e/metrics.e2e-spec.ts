import pg from 'pg';
import { Bootstrap } from '@app/auth';
import { newId } from '@app/common';
import { startTestService, type TestService } from '../support/test-service.js';

describe('metrics', () => {
  let service: TestService;
  let admin: string;

  beforeAll(async () => {
    service = await startTestService();
    admin = (await service.app.get(Bootstrap).ensureAdmin())!.key;
  });
  afterAll(() => service.stop());

  const scrape = async (key?: string) => {
    const headers = key ? { authorization: `Bearer ${key}` } : undefined;
    const answer = await fetch(`${service.url}/metrics`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  };
  const counted = async () => {
    const { text } = await scrape(admin);
    return text.split('\n').filter((line) => line.startsWith('claude_api_'));
  };

  it('are for the operator only', async () => {
    const { key } = await service.key('enterprise');
    expect((await scrape()).status).toBe(401);
    expect((await scrape(key)).status).toBe(403);
    const made = await service.post('/v1/admin/keys', { project_id: 'other', name: 'a', admin: true }, admin);
    expect(made.status).toBe(201);
    expect((await scrape(made.body.key)).status).toBe(403);
    const answer = await scrape(admin);
    expect(answer.status).toBe(200);
    expect(answer.type).toMatch(/^text\/plain; version=/);
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+$/m);
  });

  it('count each end, refusal, threshold and overrun once', async () => {
    const { key } = await service.key('enterprise', 'counted');
    const database = new pg.Client(service.databaseUrl);
    await database.connect();
    await database.query(
      `INSERT INTO budgets (id, project, unit, limit_n, period, time_zone)
       VALUES ($1, 'counted', 'requests', 2, 'month', 'UTC')`,
      [newId('budget')],
    );
    await database.end();
    const statuses = [];
    for (let turn = 0; turn < 3; turn++) {
      statuses.push((await service.post('/v1/completions', { prompt: 'hi', model: 'haiku' }, key)).status);
    }
    expect(statuses).toEqual([200, 200, 402]);
    expect(await counted()).toEqual([
      'claude_api_runs_refused_total{reason="budget"} 1',
      'claude_api_runs_ended_total{outcome="succeeded"} 2',
      'claude_api_cost_usd_total 0.0000094',
      'claude_api_budget_thresholds_total{unit="requests",pct="50"} 1',
      'claude_api_budget_thresholds_total{unit="requests",pct="80"} 1',
      'claude_api_budget_thresholds_total{unit="requests",pct="95"} 1',
      'claude_api_budget_thresholds_total{unit="requests",pct="100"} 1',
    ]);
  });
});
