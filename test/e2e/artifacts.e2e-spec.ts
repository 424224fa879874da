import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';
import { ArtifactRows } from '../support/artifact-rows.js';
import { startTestService, type TestService } from '../support/test-service.js';

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

describe('/v1/tasks/{id}/artifacts', () => {
  let service: TestService;
  let rows: ArtifactRows;
  let key: string;
  let task: string;

  beforeAll(async () => {
    service = await startTestService();
    rows = await ArtifactRows.open(service.databaseUrl);
    ({ key } = await service.key('enterprise', 'test-app'));
  });
  afterAll(async () => {
    await rows.close();
    await service.stop();
  });
  beforeEach(async () => {
    task = await rows.task('test-app');
  });

  const get = (path: string, more: { as?: string; method?: string; headers?: Record<string, string> } = {}) =>
    fetch(service.url + path, {
      method: more.method ?? 'GET',
      headers: { authorization: `Bearer ${more.as ?? key}`, ...more.headers },
    });
  const bodyOf = (answer: Response): Promise<any> => answer.json();
  const keep = (path: string, content: Buffer | string, row = {}) =>
    rows.keep(service.app, task, path, content, row);

  describe('GET …/artifacts', () => {
    it('200: page by page, in the order of the paths, each with where it is downloaded', async () => {
      for (const path of ['b/ä ö#?.md', 'a.txt', 'c']) await keep(path, path);
      const first = await bodyOf(await get(`/v1/tasks/${task}/artifacts?limit=2`));
      expect(first).toMatchObject({ has_more: true, next_cursor: expect.stringMatching(/^art_/) });
      const rest = await get(`/v1/tasks/${task}/artifacts?limit=2&cursor=${first.next_cursor}`);
      const last = await bodyOf(rest);
      expect(last).toMatchObject({ has_more: false, next_cursor: null });
      const all = [...first.data, ...last.data];
      expect(all.map(({ path }) => path)).toEqual(['a.txt', 'b/ä ö#?.md', 'c']);
      expect(all[1]).toEqual({
        id: expect.stringMatching(/^art_[0-9a-f]{32}$/),
        path: 'b/ä ö#?.md',
        size_bytes: 12,
        sha256: sha256('b/ä ö#?.md'),
        media_type: 'text/markdown',
        url: `/v1/tasks/${task}/artifacts/b/%C3%A4%20%C3%B6%23%3F.md`,
      });
      for (const { url, path } of all) expect(await (await get(url)).text()).toBe(path);
    });

    it('200: none', async () => {
      const answer = await get(`/v1/tasks/${task}/artifacts`);
      expect(await answer.json()).toEqual({ data: [], has_more: false, next_cursor: null });
    });

    it('400: a cursor or limit that cannot be', async () => {
      for (const query of ['cursor=x', 'limit=0', 'limit=201', 'cursor=', 'nope=1']) {
        expect((await get(`/v1/tasks/${task}/artifacts?${query}`)).status).toBe(400);
      }
    });
  });

  describe('GET …/artifacts/{path}', () => {
    it('200: the very bytes, as an attachment with hash and size', async () => {
      const content = randomBytes(300_000);
      await keep('out/data.bin', content);
      const answer = await get(`/v1/tasks/${task}/artifacts/out/data.bin`);
      expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-length': '300000',
        'content-disposition': 'attachment; filename=data.bin',
        'x-content-type-options': 'nosniff',
        etag: `"${sha256(content)}"`,
        'repr-digest': `sha-256=:${createHash('sha256').update(content).digest('base64')}:`,
      });
    });

    it('200 to HEAD without the body, 304 to who has it, 200 for an empty file', async () => {
      await keep('a.txt', 'content');
      await keep('empty', '');
      const url = `/v1/tasks/${task}/artifacts/a.txt`;
      const head = await get(url, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '7', '']);
      const known = await get(url, { headers: { 'if-none-match': head.headers.get('etag')! } });
      expect([known.status, await known.text()]).toEqual([304, '']);
      const empty = await get(`/v1/tasks/${task}/artifacts/empty`);
      expect([empty.status, await empty.text()]).toEqual([200, '']);
    });

    it.each([
      ['page.html', 'application/octet-stream'],
      ['image.svg', 'application/octet-stream'],
      ['feed.xml', 'application/octet-stream'],
      ['code.js', 'application/octet-stream'],
      ['notes.md', 'text/markdown; charset=utf-8'],
      ['data.json', 'application/json; charset=utf-8'],
      ['picture.png', 'image/png'],
    ])('200: %s comes as %s', async (path, type) => {
      await keep(path, '<script>alert(1)</script>');
      const answer = await get(`/v1/tasks/${task}/artifacts/${path}`);
      expect([answer.headers.get('content-type'), answer.headers.get('x-content-type-options')]).toEqual([
        type,
        'nosniff',
      ]);
      await answer.body?.cancel();
    });

    it('404: no such artifact; one whose content has expired says so', async () => {
      expect((await get(`/v1/tasks/${task}/artifacts/nothing`)).status).toBe(404);
      const { blob } = await keep('old.txt', 'x');
      await rm(join(service.config.blobDir, 'artifacts', blob));
      const answer = await get(`/v1/tasks/${task}/artifacts/old.txt`);
      expect(answer.status).toBe(404);
      expect((await bodyOf(answer)).error.message).toContain('expired');
    });

    it('500: a damaged copy is not passed for the artifact', async () => {
      const { blob } = await keep('damaged.txt', 'content');
      await truncate(join(service.config.blobDir, 'artifacts', blob), 3);
      expect((await get(`/v1/tasks/${task}/artifacts/damaged.txt`)).status).toBe(500);
    });
  });

  describe('GET …/artifacts.zip', () => {
    it('200: all of them, unchanged, and the same archive each time', async () => {
      const contents = new Map<string, Buffer>([
        ['a.txt', Buffer.from('a'.repeat(100_000))],
        ['src/ä/😀 x.bin', randomBytes(200_000)],
        ['empty', Buffer.alloc(0)],
        ['CON', Buffer.from('x')],
      ]);
      for (const [path, content] of contents) await keep(path, content);
      const answer = await get(`/v1/tasks/${task}/artifacts.zip`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/zip');
      expect(answer.headers.get('content-disposition')).toBe(`attachment; filename=${task}.zip`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      const unzipped = await unzip(bytes);
      expect([...unzipped.keys()].toSorted()).toEqual([...contents.keys()].toSorted());
      for (const [path, content] of contents)
        expect([path, sha256(unzipped.get(path)!)]).toEqual([path, sha256(content)]);
      const again = await get(`/v1/tasks/${task}/artifacts.zip`);
      expect(sha256(Buffer.from(await again.arrayBuffer()))).toBe(sha256(bytes));
    });

    it('200: an empty one for a task that left nothing; HEAD has no body', async () => {
      const answer = await get(`/v1/tasks/${task}/artifacts.zip`);
      expect(await unzip(Buffer.from(await answer.arrayBuffer()))).toEqual(new Map());
      const head = await get(`/v1/tasks/${task}/artifacts.zip`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
    });

    it('400: over 1 GiB; 404: one of them has expired', async () => {
      const { blob } = await keep('old.txt', 'x');
      await rm(join(service.config.blobDir, 'artifacts', blob));
      const expired = await get(`/v1/tasks/${task}/artifacts.zip`);
      expect([expired.status, (await bodyOf(expired)).error.message]).toEqual([
        404,
        expect.stringContaining('expired'),
      ]);
      await rows.setSize(task, 'old.txt', 2 ** 30 + 1);
      const large = await get(`/v1/tasks/${task}/artifacts.zip`);
      expect([large.status, (await bodyOf(large)).error.message]).toEqual([
        400,
        expect.stringContaining('one by one'),
      ]);
    });

    it('a client that reads slowly or goes away holds no file open', async () => {
      for (const name of ['1', '2', '3']) await keep(name, randomBytes(16 * 2 ** 20));
      const memory = process.memoryUsage().rss;
      const gone = new AbortController();
      const answer = await fetch(`${service.url}/v1/tasks/${task}/artifacts.zip`, {
        headers: { authorization: `Bearer ${key}` },
        signal: gone.signal,
      });
      const reader = answer.body!.getReader();
      await reader.read();
      await sleep(500);
      expect(openBlobs(service.config.blobDir)).toHaveLength(1);
      expect(process.memoryUsage().rss - memory).toBeLessThan(40 * 2 ** 20);
      gone.abort();
      for (let tries = 0; openBlobs(service.config.blobDir).length > 0; tries += 1) {
        if (tries === 100) throw new Error('a file is still open');
        await sleep(50);
      }
    });

    it('is cut when a file is damaged meanwhile: it cannot pass for a whole one', async () => {
      const { blob } = await keep('a.txt', 'content');
      await truncate(join(service.config.blobDir, 'artifacts', blob), 3);
      const answer = await get(`/v1/tasks/${task}/artifacts.zip`);
      await expect(answer.arrayBuffer()).rejects.toThrow('terminated');
    });
  });

  it.each(['artifacts', 'artifacts.zip', 'artifacts/a.txt'])(
    'GET …/%s: another project’s task is not there, in the very same words',
    async (route) => {
      await keep('a.txt', 'secret');
      const { key: foreign } = await service.key('enterprise', 'other-app');
      const refusal = async (id: string) => {
        const answer = await get(`/v1/tasks/${id}/${route}`, { as: foreign });
        return [answer.status, (await bodyOf(answer)).error];
      };
      const unknown = await refusal('task_00000000000000000000000000000000');
      expect(await refusal(task)).toEqual(unknown);
      expect(unknown[0]).toBe(404);
      expect((await get(`/v1/tasks/${task}/${route}`, { as: 'cc_sk_x' })).status).toBe(401);
    },
  );
});

async function unzip(bytes: Buffer): Promise<Map<string, Buffer>> {
  const zip = (await promisify<Buffer, object, ZipFile>(fromBuffer)(bytes, { lazyEntries: true }))!;
  const found = new Map<string, Buffer>();
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      zip.openReadStream(entry, async (error, stream) => {
        if (error) return reject(error);
        found.set(entry.fileName, await buffer(stream));
        zip.readEntry();
      });
    });
    zip.on('end', () => resolve(found)).on('error', reject);
    zip.readEntry();
  });
}

/** What this process, and so the service, has open of the blobs. */
function openBlobs(blobDir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(blobDir) ? [path] : [];
    } catch {
      return [];
    }
  });
}
