import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Workspaces } from '@app/tasks';
import { ArtifactRows } from '../support/artifact-rows.js';
import { makeDeep, makeFifo, makeMany } from '../support/hostile-files.js';
import { envelope, sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** sandbox-security.md section 6, what concerns artifacts: sent as it is, past every client that would tidy it. */
describe('names of artifacts', () => {
  let service: TestService;
  let rows: ArtifactRows;
  let port: number;
  let key: string;
  let task: string;

  beforeAll(async () => {
    service = await startTestService();
    rows = await ArtifactRows.open(service.databaseUrl);
    ({ port } = service.app.getHttpServer().address() as AddressInfo);
    ({ key } = await service.key('enterprise', 'test-app'));
  });
  afterAll(async () => {
    await rows.close();
    await service.stop();
  });
  beforeEach(async () => {
    task = await rows.task('test-app');
  });

  const ask = (rest: string) =>
    sendRaw(
      port,
      `GET /v1/tasks/${rest} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${key}\r\n\r\n`,
    );
  const notFound = { status: 404, body: envelope('not_found'), closed: true };
  const keep = (path: string, content = 'x') => rows.keep(service.app, task, path, content);

  describe('row 53', () => {
    it.each([
      '..',
      '../',
      '../../../etc/passwd',
      '..%2f..%2f..%2fetc%2fpasswd',
      '%2e%2e/%2e%2e/etc/passwd',
      '%252e%252e%252fetc%252fpasswd',
      '/etc/passwd',
      '%2fetc%2fpasswd',
      'file:///etc/passwd',
      'proc/self/environ',
      'present.txt/',
      'present.txt/.',
      './present.txt',
      'x/../present.txt',
      '/present.txt',
      'present.txt.',
      'PRESENT.TXT',
      'present.txt%20',
      'CON',
      'nul.txt',
      'c:%5cwindows%5cwin.ini',
      '%5c%5chost%5cshare',
      '%E2%80%AEtxt.exe',
      'x'.repeat(300),
      'x/'.repeat(3_000),
      '',
      '*',
      '%0a',
      '%1b%5b2J',
    ])('the path %.40j is not there', async (path) => {
      await keep('present.txt');
      expect(await ask(`${task}/artifacts/${path}`)).toMatchObject(notFound);
    });

    it.each(['%00', 'present.txt%00.png', '%zz', '%', '%c0%ae%c0%ae', '%ed%a0%80', '%ff'])(
      'the path %s is no text',
      async (path) => {
        expect(await ask(`${task}/artifacts/${path}`)).toMatchObject({
          status: 400,
          body: envelope('invalid_request'),
        });
      },
    );

    it.each(['..', '%2e%2e%2f', '*', '%E2%80%AE', "x'%3b--", 'x'.repeat(5_000)])(
      'the task %.40j is not there',
      async (id) => {
        for (const route of ['artifacts', 'artifacts/present.txt', 'artifacts.zip']) {
          expect(await ask(`${id}/${route}`)).toMatchObject(notFound);
        }
      },
    );

    it('a link, device or FIFO that a run left is none of its artifacts, and asking for it hangs nothing', async () => {
      const workspace = await service.app
        .get(Workspaces, { strict: false })
        .prepare({ taskId: task, attempt: 1, project: 'test-app', files: [], quotaBytes: 2 ** 20 });
      await symlink('/etc/passwd', join(workspace.dir, 'link'));
      await symlink('/dev/zero', join(workspace.dir, 'zero'));
      await makeFifo(join(workspace.dir, 'fifo'));
      expect((await workspace.collect()).artifacts).toEqual([]);
      for (const path of ['link', 'zero', 'fifo']) {
        const answer = await ask(`${task}/artifacts/${path}`);
        expect(answer).toMatchObject(notFound);
        expect(answer.ms).toBeLessThan(2_000);
      }
      await workspace.release();
    });
  });

  describe('row 54', () => {
    it.each([
      [
        'a\r\nset-cookie: x=1\r\n\r\n<html>',
        'a%0D%0Aset-cookie%3A%20x%3D1%0D%0A%0D%0A%3Chtml%3E',
        `"a??set-cookie: x=1????<html>"; filename*=UTF-8''a%0D%0Aset-cookie%3A%20x%3D1%0D%0A%0D%0A%3Chtml%3E`,
      ],
      ['a"; filename="b.html', 'a%22%3B%20filename%3D%22b.html', String.raw`"a\"; filename=\"b.html"`],
      ['a\\"b', 'a%5C%22b', String.raw`"a\\\"b"`],
      ['\u202egpj.exe', '%E2%80%AEgpj.exe', `"?gpj.exe"; filename*=UTF-8''%E2%80%AEgpj.exe`],
      ['報告.md', '%E5%A0%B1%E5%91%8A.md', `"??.md"; filename*=UTF-8''%E5%A0%B1%E5%91%8A.md`],
      ['%0d%0ax.txt', '%250d%250ax.txt', `%0d%0ax.txt; filename*=UTF-8''%250d%250ax.txt`],
    ])('the name %j is encoded and ends no header', async (name, address, filename) => {
      await keep('a');
      await rows.setPath(task, 'a', name);
      const answer = await ask(`${task}/artifacts/${address}`);
      expect(answer).toMatchObject({ status: 200, body: 'x' });
      const headers = answer.head.split('\r\n').slice(1);
      expect(headers.filter((line) => !/^[A-Za-z0-9-]+: [\x20-\x7e]*$/.test(line))).toEqual([]);
      expect(headers.filter((line) => /^set-cookie:/i.test(line))).toEqual([]);
      expect(headers).toContain(`Content-Disposition: attachment; filename=${filename}`);
    });

    it('a name that no run could have left is in no archive', async () => {
      for (const name of ['../../evil', '/evil', 'a\\b', 'c:evil', 'a\nb', 'good.txt']) {
        await keep('a');
        await rows.setPath(task, 'a', name);
      }
      const answer = await ask(`${task}/artifacts.zip`);
      expect(answer.status).toBe(200);
      const names = String(answer.body).match(/evil|a\\b|a\nb|good\.txt/g);
      expect(new Set(names)).toEqual(new Set(['good.txt']));
    });
  });

  it('row 93: a workspace of 101,000 files, a 10 GB one, deep folders and broken names is listed in pages', async () => {
    const workspace = await service.app
      .get(Workspaces, { strict: false })
      .prepare({ taskId: task, attempt: 1, project: 'test-app', files: [], quotaBytes: 2 ** 20 });
    await mkdir(join(workspace.dir, 'many'));
    await makeMany(join(workspace.dir, 'many'), 101_000);
    await makeDeep(workspace.dir, 5_000);
    await writeFile(join(workspace.dir, 'huge'), '');
    await truncate(join(workspace.dir, 'huge'), 10 * 1024 ** 3);
    await writeFile(join(workspace.dir, 'two\nlines'), 'x');
    const { artifacts, skipped } = await workspace.collect();
    expect(artifacts).toHaveLength(1_000);
    const reasons = skipped.map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(['too_large', 'too_many', 'unusable_name']));
    await rows.insert(service.app, task, artifacts);
    const paths = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await ask(`${task}/artifacts?limit=200${cursor && `&cursor=${cursor}`}`);
      for (const { path } of body.data) paths.add(path);
      cursor = body.next_cursor;
    }
    expect(paths.size).toBe(1_000);
    await workspace.release();
    expect(existsSync(workspace.dir)).toBe(false);
    await rm(join(service.config.blobDir, 'artifacts', task), { recursive: true });
  }, 120_000);
});
