import type { Browser } from 'playwright-core';
import { startChromium } from '../support/chromium.js';
import { eventsOf } from '../support/test-service.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';

jest.setTimeout(120_000);

describe('serve --demo', () => {
  let home: string;
  let server: ServerProcess;
  let key: string;

  beforeAll(async () => {
    home = await ServerProcess.temporaryHome();
    server = await ServerProcess.start(home, {}, ['--demo']);
    key = /cc_sk_\w+/.exec(server.output)?.[0] ?? '';
  });
  afterAll(() => cleanUp(home, [server]));

  const complete = (body: object) => post('/v1/completions', body);
  const post = (path: string, body: object) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });

  it('prints a key and four lines to paste: a completion, a stream, a task and an error', () => {
    expect(server.output.toLowerCase()).toContain('demo');
    const pasted = server.output.split('\n').filter((line) => line.trim().startsWith('curl '));
    const routes = pasted.map((line) => /:\d+\/v1\/(\S+)/.exec(line)?.[1]);
    expect(routes).toEqual(['completions', 'completions', 'task', 'completions']);
    expect(pasted.every((line) => line.includes(`:${server.port}/v1/`))).toBe(true);
    expect(pasted[1]).toContain('"stream":true');
  });

  it('works on a task with real tools, twice: greps, reads, runs Bash, sends an auditor, leaves a report', async () => {
    for (const time of ['first', 'second']) {
      const task: any = await (
        await post('/v1/task', { description: `Audit, the ${time} time`, workspace: 'sample' })
      ).json();
      expect(task).toMatchObject({ status: 'succeeded', error: null, denials: [] });
      expect(task.result.summary).toContain('app/login.py');
      const said = task.execution_log.map((event: any) =>
        `${event.type} ${event.tool ?? event.agent ?? ''}`.trim(),
      );
      expect(said).toEqual(
        expect.arrayContaining([
          'tool_call Grep',
          'tool_call Read',
          'tool_call Bash',
          'agent_spawn security-auditor',
        ]),
      );
      expect(task.execution_log.filter(({ status }: any) => status === 'error')).toEqual([]);
      expect(task.artifacts.map(({ path }: any) => path)).toEqual(['SECURITY-REPORT.md']);
    }
  });

  it('answers a completion through the real CLI, and says that it is a demo', async () => {
    const response = await complete({ prompt: 'What is a mutex?' });
    const body: any = await response.json();
    expect(response.status).toBe(200);
    expect(body.content).toMatch(/demo.*What is a mutex\?/);
    expect(body.warnings.join()).toContain('demo');
  });

  it('answers a stream in pieces', async () => {
    const events = eventsOf(await (await complete({ prompt: 'hello', stream: true })).text());
    expect(events.filter(({ type }) => type === 'token').length).toBeGreaterThan(5);
    expect(events.at(-1).type).toBe('done');
  });

  it('says demo where it says how it is', async () => {
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ status: 'ok', demo: true });
  });

  describe('Swagger UI in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await startChromium();
    });
    afterAll(() => browser.close());

    it('answers "Try it out" after "Authorize"', async () => {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      await page.goto(`${server.url}/docs`);
      await page.getByRole('button', { name: 'Authorize' }).first().click();
      await page.locator('.auth-container input').first().fill(key);
      await page.locator('.auth-container button[type=submit]').first().click();
      await page.locator('.btn-done').first().click();
      const operation = page.locator('.opblock', { hasText: '/v1/completions' }).first();
      await operation.locator('.opblock-summary').click();
      await operation.getByRole('button', { name: 'Try it out' }).click();
      await operation.getByRole('button', { name: 'Execute' }).click();
      const answer = operation.locator('.live-responses-table .highlight-code').first();
      await answer.waitFor({ timeout: 20_000 });
      expect(await answer.innerText()).toContain('demo answer');
      expect(problems).toEqual([]);
      await page.close();
    });

    it('links the page to try the stream, which connects', async () => {
      const page = await browser.newPage();
      await page.goto(`${server.url}/docs`);
      const [opened] = await Promise.all([
        page.context().waitForEvent('page'),
        page.getByRole('link', { name: 'try it' }).click(),
      ]);
      await opened.waitForLoadState();
      await opened.getByLabel('API key').fill(key);
      await opened.getByLabel('API key').press('Enter');
      await opened.getByText('Connected · project demo').waitFor();
      await page.context().close();
    });
  });
});
