import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { CLOSE } from '../../apps/api/src/stream/close-codes.js';
import { startChromium } from '../support/chromium.js';
import { plays, turns, uses } from '../support/scripted-turns.js';
import { severableUrl } from '../support/severable-url.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(120_000);

const FOLDER = join(import.meta.dirname, '../../apps/api/src/stream/page');
const HOSTILE = `<script>hacked = 1</script><img src="x" onerror="hacked = 1"> "><svg onload=hacked=1>`;

// Texts: the functions of this file know no browser.
const ALL_THAT_IS_KEPT = `(async () => JSON.stringify([
  document.documentElement.outerHTML,
  [...document.querySelectorAll('input, textarea')].map(({ value }) => value),
  { ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state,
  await indexedDB.databases(), await caches.keys(),
]))()`;

let service: TestService;
let key: string;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  service = await startTestService();
  key = (await service.key()).key;
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

/** A new page, and all that goes wrong in it. */
async function visit(url: string, viewport = { width: 1280, height: 900 }): Promise<void> {
  page = await browser.newPage({ viewport });
  problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => problems.push(message.text()));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) problems.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}/docs/try`);
}

/** Fails on a violation of the page's policy as on anything else that the browser complained of. */
async function leave(): Promise<void> {
  if ((await page.evaluate('typeof hacked')) !== 'undefined') problems.push('hostile text ran');
  await page.close();
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

async function connect(withKey = key): Promise<void> {
  await page.getByLabel('API key').fill(withKey);
  await page.getByLabel('API key').press('Enter');
}

const state = () => page.getByRole('status');
const card = (id: string) => page.locator('article', { has: page.getByText(id, { exact: true }) });
const ended = (id: string, how: string) =>
  card(id)
    .and(page.locator(`[data-state=${how}]`))
    .waitFor();

async function complete(prompt: string): Promise<void> {
  await page.getByLabel('Completion', { exact: true }).check({ force: true });
  await page.getByLabel('Prompt').fill(prompt);
  await page.getByLabel('Prompt').press('Control+Enter');
}

async function haveDone(description: string): Promise<void> {
  await page.getByLabel('Task', { exact: true }).check({ force: true });
  await page.getByLabel('What to do').fill(description);
  await page.getByRole('button', { name: 'Send' }).click();
}

describe('the page to try the stream', () => {
  beforeEach(() => visit(service.url));
  afterEach(async () => {
    service.model.reset();
    await leave();
  });

  it('is used with the keyboard alone: the key, Enter, a prompt, Ctrl Enter, and the answer streams', async () => {
    service.model.script = () => ({ text: 'A lock that one may hold.', chunks: 8, chunkDelayMs: 30 });
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type(key);
    await page.keyboard.press('Enter');
    await state().getByText('project test-app').waitFor();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('What is a mutex?');
    await page.keyboard.press('Control+Enter');
    await ended('completion-1', 'done');
    const text = await card('completion-1').innerText();
    expect(text).toContain('What is a mutex?');
    expect(text).toContain('A lock that one may hold.');
    expect(text).toMatch(/\d+\.\d s/);
    expect(text).toMatch(/\$0\.\d+/);
    expect(await page.getByLabel('Frames of both').innerText()).toContain('"type":"done"');
    expect(await page.getByRole('log').innerText()).toContain('completion-1: stop');
  });

  it('keeps the key nowhere but in memory', async () => {
    await connect();
    await state().getByText('Connected').waitFor();
    await complete('hello');
    await ended('completion-1', 'done');
    const kept = await page.evaluate(ALL_THAT_IS_KEPT);
    expect(kept).toContain('"hello"');
    expect(kept).not.toContain(key);
    expect(kept).not.toContain(key.slice(-20));
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toContain('"type":"auth","api_key":"•••"');
    expect(copied).toContain('"type":"ready"');
    expect(copied).not.toContain(key);
  });

  it('shows what a task does: calls with their results, a refusal, its files', async () => {
    service.model.script = turns([
      uses('Bash', { command: 'echo found it > report.txt; cat report.txt' }),
      uses('Read', { file_path: 'nowhere.txt' }),
      uses('Write', { file_path: 'b.txt', content: 'no' }),
      { text: 'All is well.' },
    ]);
    await connect();
    await page.getByLabel('Task', { exact: true }).check({ force: true });
    await page.getByLabel('only these').check();
    await page.getByLabel('Bash').check();
    await page.getByLabel('Read').check();
    await haveDone('look around');
    await ended('task-1', 'succeeded');
    const calls = card('task-1').locator('.call summary');
    expect(await calls.allInnerTexts()).toEqual([
      expect.stringMatching(/Bash\s+echo found it.*\s+ok/),
      expect.stringMatching(/Read\s+nowhere\.txt\s+error/),
    ]);
    await calls.first().click();
    expect(await card('task-1').locator('.result').first().innerText()).toBe('found it');
    expect(await card('task-1').locator('.denied').innerText()).toContain('Write');
    const text = await card('task-1').innerText();
    expect(text).toContain('All is well.');
    expect(text).toMatch(/report\.txt\s+9 B/);
    expect(text).toContain('tools Read, Bash');
  });

  it('shows hostile text of the model and of tools as text', async () => {
    service.model.script = plays({
      say: [{ text: HOSTILE }],
      work: [
        uses('Bash', { command: `cat <<'END'\n${HOSTILE}\nEND` }),
        uses(HOSTILE, { [HOSTILE]: HOSTILE }),
        { text: HOSTILE },
      ],
    });
    await connect();
    await complete(`say: ${HOSTILE}`);
    await haveDone(`work: ${HOSTILE}`);
    await ended('completion-1', 'done');
    await ended('task-2', 'succeeded');
    expect(await card('completion-1').locator('.text').innerText()).toBe(HOSTILE);
    expect(await card('task-2').locator('.result').first().textContent()).toContain(HOSTILE);
    expect(await page.locator('main').locator('script, img, svg, iframe').count()).toBe(0);
  });

  it('says that a key is wrong, and takes another', async () => {
    await connect('cc_sk_wrong');
    await state().getByText('Closed: the key was not accepted (4401)', { exact: true }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(await page.evaluate('document.activeElement.id')).toBe('key');
    await connect();
    await state().getByText('Connected').waitFor();
  });

  it('says why the service closed: a revoked key', async () => {
    const other = await service.key();
    await connect(other.key);
    await state().getByText('Connected').waitFor();
    const { KeysService, operatorPrincipal } = await import('@app/auth');
    await service.app.get(KeysService).revoke(operatorPrincipal(), other.id);
    await state().getByText('revoked or has expired (4403)').waitFor();
    expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  });

  it('shows what is wrong with a request, and its field', async () => {
    await connect();
    await page.getByLabel('Task', { exact: true }).check({ force: true });
    await page.getByText('Agents, skills, cost').click();
    await page.getByLabel('Agents', { exact: false }).fill('nobody');
    await haveDone('do it');
    await ended('task-1', 'error');
    expect(await card('task-1').innerText()).toMatch(/invalid_request.*nobody.*field: allow_agents/s);
  });

  it('cancels a completion and a task', async () => {
    service.model.script = plays({
      say: [{ text: 'never ends '.repeat(200), chunks: 400, chunkDelayMs: 200 }],
      work: [uses('Bash', { command: 'sleep 60' })],
    });
    await connect();
    await complete('say: it');
    await haveDone('work: long');
    await card('completion-1').getByText('never').waitFor();
    await card('task-2').locator('.call').waitFor();
    await page.getByRole('button', { name: 'Cancel completion-1' }).click();
    await page.getByRole('button', { name: 'Cancel task-2' }).click();
    await ended('completion-1', 'cancelled');
    await ended('task-2', 'cancelled');
  });
});

describe('the page to try the stream, when the connection is lost', () => {
  it('goes on with the tasks where they were, and says what became of the completion', async () => {
    const way = await severableUrl(service.url);
    await visit(way.url.replace(/\/$/, ''));
    service.model.script = plays({
      say: [{ hang: true }],
      work: [
        uses('Bash', { command: 'echo one' }),
        uses('Bash', { command: 'sleep 3' }),
        { text: 'the end' },
      ],
    });
    await connect();
    await haveDone('work: it');
    await complete('say: it');
    await card('task-1').locator('.call').nth(1).waitFor();
    way.sever();
    await state().getByText('the connection was lost (1006). Trying again').waitFor();
    way.mend();
    await ended('completion-2', 'lost');
    await ended('task-1', 'succeeded');
    expect(await card('task-1').innerText()).toMatch(/connected again, resumed after event [1-9]/);
    expect(await card('task-1').locator('.call summary').allInnerTexts()).toEqual([
      expect.stringMatching(/echo one\s+ok/),
      expect.stringMatching(/sleep 3\s+ok/),
    ]);
    const seen = (await page.locator('#frames code').allInnerTexts())
      .map((text) => (text.startsWith('{') ? JSON.parse(text) : {}))
      .filter(({ id, seq }) => id === 'task-1' && seq !== undefined)
      .map(({ seq }) => seq);
    expect(seen).toEqual(seen.map((_, index) => index + 1));
    await leave();
    await way.close();
  });

  it('goes on as well after Disconnect and Connect', async () => {
    await visit(service.url);
    service.model.script = turns([uses('Bash', { command: 'sleep 2' }), { text: 'the end' }]);
    await connect();
    await haveDone('wait');
    await card('task-1').locator('.call').waitFor();
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await card('task-1').getByText('not connected, the task goes on').waitFor();
    await connect();
    await ended('task-1', 'succeeded');
    await leave();
  });
});

describe('how the page to try the stream is served', () => {
  const get = (path: string, headers: Record<string, string> = {}) => fetch(service.url + path, { headers });

  it('fits a phone', async () => {
    await visit(service.url, { width: 360, height: 740 });
    await connect();
    await complete('x'.repeat(500));
    await ended('completion-1', 'done');
    await page.getByLabel('Task', { exact: true }).check({ force: true });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await leave();
  });

  it('under a policy that lets nothing become script, with types, and from memory when it is unchanged', async () => {
    const answer = await get('/docs/try');
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain(`require-trusted-types-for 'script'`);
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('data:');
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const types = {
      css: 'text/css; charset=utf-8',
      js: 'text/javascript; charset=utf-8',
      svg: 'image/svg+xml',
    };
    for (const name of readdirSync(FOLDER).filter((each) => each !== 'index.html')) {
      const { status, headers } = await get(`/docs/try/${name}`);
      expect([name, status, headers.get('content-type')]).toEqual([
        ...[name, 200],
        types[name.split('.').at(-1) as keyof typeof types],
      ]);
      const again = await get(`/docs/try/${name}`, {
        'if-none-match': headers.get('etag') ?? '',
        'cache-control': 'max-age=0',
      });
      expect(again.status).toBe(304);
    }
  });

  it.each(['nothing.js', 'index.html', '..%2fhandshake.js', '%2e%2e/handshake.ts', '__proto__', 'page.js/'])(
    'and nothing else: %s',
    async (name) => {
      expect((await get(`/docs/try/${name}`)).status).toBe(404);
    },
  );

  it('knows every code that the service closes with', async () => {
    const known = await (await get('/docs/try/closings.js')).text();
    for (const code of Object.values(CLOSE)) expect(known).toContain(`${code}: {`);
  });
});
