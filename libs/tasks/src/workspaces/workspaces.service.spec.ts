import { createHash } from 'node:crypto';
import { chown, mkdir, open, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Transactions } from '@app/database';
import { newTaskId } from '../../../../test/support/artifact-rows.js';
import { startTestWorkspaces, type TestWorkspaces } from '../../../../test/support/test-workspaces.js';
import { ArtifactsRepository } from '../artifacts/artifacts.repository.js';
import { removeTree } from './remove-tree.js';

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
const input = (path: string, content = 'given') => ({ path, content: Buffer.from(content) });
/** Whom root gives a workspace to; others can only give it to themselves, which the times show just as well. */
const boxOwner = process.getuid?.() === 0 ? 65_534 : process.getuid!();
const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('workspaces', () => {
  let test: TestWorkspaces;

  beforeEach(async () => {
    test = await startTestWorkspaces();
  });
  afterEach(async () => {
    await removeTree(test.blobDir);
    await test.stop();
  });

  it('a task without a named one gets its own, with its files, and nothing stays of it', async () => {
    const workspace = await test.prepare({ files: [input('a.txt'), input('src/deep/b.txt', 'b')] });
    expect(await readFile(join(workspace.dir, 'src/deep/b.txt'), 'utf8')).toBe('b');
    expect([await mode(workspace.dir), await mode(dirname(workspace.dir)), await mode(test.blobDir)]).toEqual(
      ['700', '711', '711'],
    );
    await workspace.release();
    expect(await readdir(dirname(workspace.dir))).toEqual([]);
  });

  it('a second attempt does not see what the first one left', async () => {
    const taskId = newTaskId();
    const first = await test.prepare({ taskId });
    await writeFile(join(first.dir, 'left.txt'), 'x');
    const again = await test.prepare({ taskId });
    expect(await readdir(again.dir)).toEqual([]);
    await Promise.all([first.release(), again.release()]);
  });

  it('a named one stays for its project, and no other project meets it', async () => {
    const first = await test.prepare({ workspace: 'shared', files: [input('kept.txt')] });
    await first.release();
    const [next, foreign] = [
      await test.prepare({ workspace: 'shared' }),
      await test.prepare({ workspace: 'shared', project: 'other-app' }),
    ];
    expect(await readdir(next.dir)).toEqual(['kept.txt']);
    expect(await readdir(foreign.dir)).toEqual([]);
    expect(await mode(dirname(next.dir))).toBe('711');
    await Promise.all([next.release(), foreign.release()]);
  });

  describe('the artifacts', () => {
    it('are what the run made or changed, with size, hash and type', async () => {
      const workspace = await test.prepare({
        files: [input('same.txt'), input('changed.txt'), input('gone.txt')],
      });
      await writeFile(join(workspace.dir, 'changed.txt'), 'taken');
      await mkdir(join(workspace.dir, 'out/reports'), { recursive: true });
      await writeFile(join(workspace.dir, 'out/reports/r.md'), '# report');
      await writeFile(join(workspace.dir, 'strange'), '');
      await writeFile(join(workspace.dir, 'same.txt'), 'given');
      const { artifacts, skipped } = await workspace.collect();
      const found = artifacts.map(({ path, sizeBytes, sha256: hash, mediaType }) => [
        path,
        sizeBytes,
        hash,
        mediaType,
      ]);
      expect(found.toSorted()).toEqual([
        ['changed.txt', 5, sha256('taken'), 'text/plain'],
        ['out/reports/r.md', 8, sha256('# report'), 'text/markdown'],
        ['strange', 0, sha256(''), 'application/octet-stream'],
      ]);
      expect(skipped).toEqual([]);
      for (const { id, blob, sha256: hash } of artifacts) {
        const copy = await readFile(join(test.blobDir, 'artifacts', blob), 'utf8');
        expect([sha256(copy), basename(blob)]).toEqual([hash, id]);
      }
      await workspace.release();
    });

    it('of a named one are not what lay there before, and a change with its old time is still seen', async () => {
      const first = await test.prepare({
        workspace: 'w',
        files: [input('old.txt'), input('forged.txt', 'before')],
      });
      await first.release();
      const next = await test.prepare({ workspace: 'w' });
      const forged = join(next.dir, 'forged.txt');
      const { atime, mtime } = await stat(forged);
      await writeFile(forged, 'after!');
      await utimes(forged, atime, mtime);
      expect((await next.collect()).artifacts).toMatchObject([
        { path: 'forged.txt', sha256: sha256('after!') },
      ]);
      await next.release();
    });

    it('are not the files that the box was made owner of', async () => {
      const workspace = await test.prepare({ files: [input('given.txt')] });
      await chown(join(workspace.dir, 'given.txt'), boxOwner, process.getgid!());
      await chown(workspace.dir, boxOwner, process.getgid!());
      expect((await workspace.collect()).artifacts).toEqual([]);
      await workspace.release();
    });

    it('are at most 1,000 and no larger than the quota in all', async () => {
      const many = await test.prepare();
      for (let index = 0; index < 1_005; index += 1) await writeFile(join(many.dir, `${index}.txt`), '');
      const { artifacts, skipped } = await many.collect();
      expect([artifacts.length, skipped]).toEqual([1_000, [{ reason: 'too_many', count: 5 }]]);
      await many.release();

      const large = await test.prepare({ quotaBytes: 1_000 });
      for (const name of ['a', 'b', 'c']) await writeFile(join(large.dir, name), 'x'.repeat(400));
      const kept = await large.collect();
      expect(kept.artifacts.map(({ sizeBytes }) => sizeBytes)).toEqual([400, 400]);
      expect(kept.skipped).toEqual([{ reason: 'too_large', count: 1 }]);
      await large.release();
    });

    it('are written with the rows of the caller and read back by task', async () => {
      const artifacts = test.app.get(ArtifactsRepository, { strict: false });
      const transactions = test.app.get(Transactions, { strict: false });
      const taskId = await test.rows.task('test-app');
      const workspace = await test.prepare({ taskId });
      await writeFile(join(workspace.dir, 'b.txt'), 'b');
      await writeFile(join(workspace.dir, 'a.txt'), 'a');
      const collected = (await workspace.collect()).artifacts;
      const undone = transactions.run(async () => {
        await artifacts.insert(taskId, collected);
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      expect(await artifacts.of([taskId])).toEqual(new Map());
      await transactions.run(() => artifacts.insert(taskId, collected));
      const found = (await artifacts.of([taskId, 'task_none'])).get(taskId);
      expect(found?.map(({ path }) => path)).toEqual(['a.txt', 'b.txt']);
      expect(found).toEqual(expect.arrayContaining(collected.map((one) => ({ ...one, taskId }))));
      await workspace.release();
    });
  });

  describe('the quota', () => {
    it('counts what lies there and what is sent, also in folders that are never shown', async () => {
      const quotaBytes = 100_000;
      await expect(
        test.prepare({ quotaBytes, files: [input('a', 'x'.repeat(100_001))] }),
      ).rejects.toMatchObject({ code: 'workspace_full', message: expect.stringContaining('smaller files') });
      expect(await readdir(join(test.blobDir, 'scratch'))).toEqual([]);
      const first = await test.prepare({ workspace: 'w', quotaBytes });
      await mkdir(join(first.dir, 'node_modules/x'), { recursive: true });
      await writeFile(join(first.dir, 'node_modules/x/y'), 'x'.repeat(100_001));
      await first.release();
      await expect(test.prepare({ workspace: 'w', quotaBytes })).rejects.toMatchObject({
        code: 'workspace_full',
        message: expect.stringContaining('name another workspace'),
      });
      await (await test.prepare({ workspace: 'w', quotaBytes: 1_000_000 })).release();
    });

    it('takes a sparse file for what it takes on the disk', async () => {
      const first = await test.prepare({ workspace: 'w' });
      const sparse = await open(join(first.dir, 'sparse'), 'w');
      await sparse.writeFile('x'.repeat(10_000));
      await sparse.truncate(10 * 1024 ** 3);
      await sparse.close();
      await first.release();
      await (await test.prepare({ workspace: 'w' })).release();
      await expect(test.prepare({ workspace: 'w', quotaBytes: 9_999 })).rejects.toMatchObject({
        code: 'workspace_full',
      });
    });
  });

  describe('the sweep', () => {
    it('removes the folders of tasks that do not run, and nothing else', async () => {
      const [running, ended] = [newTaskId(), newTaskId()];
      const prepared = [await test.prepare({ taskId: running }), await test.prepare({ taskId: ended })];
      const shelf = join(test.blobDir, 'scratch');
      await writeFile(join(prepared[1]!.dir, 'left.txt'), 'x');
      await mkdir(join(test.root, 'outside'));
      await writeFile(join(test.root, 'outside/precious.txt'), 'x');
      await symlink(join(test.root, 'outside'), join(shelf, 'task_0.1'));
      await mkdir(join(shelf, 'not-ours'));
      const asked: [string, number][] = [];
      await test.workspaces.sweep(async (taskId, attempt) => {
        asked.push([taskId, attempt]);
        return taskId === running;
      });
      expect((await readdir(shelf)).toSorted()).toEqual(['not-ours', `${running}.1`]);
      expect(asked).toEqual(
        expect.arrayContaining([
          [running, 1],
          [ended, 1],
          ['task_0', 1],
        ]),
      );
      expect(await readdir(join(test.root, 'outside'))).toEqual(['precious.txt']);
      for (const workspace of prepared) await workspace.release();
    });

    it('removes copies without rows, but not those that were made just now', async () => {
      const [kept, orphaned, fresh] = [await test.rows.task('test-app'), newTaskId(), newTaskId()];
      await test.rows.keep(test.app, kept, 'a.txt', 'x');
      const shelf = join(test.blobDir, 'artifacts');
      for (const taskId of [orphaned, fresh]) {
        await mkdir(join(shelf, taskId));
        await writeFile(join(shelf, taskId, 'x'), 'x');
      }
      const yesterday = new Date((await stat(shelf)).mtimeMs - 86_400_000);
      for (const taskId of [kept, orphaned]) await utimes(join(shelf, taskId), yesterday, yesterday);
      await test.workspaces.sweep(async () => false);
      expect((await readdir(shelf)).toSorted()).toEqual([kept, fresh].toSorted());
    });

    it('has nothing to do where no task ever ran', async () => {
      await test.workspaces.sweep(async () => false);
      await expect(readdir(test.blobDir)).rejects.toThrow('ENOENT');
    });
  });
});
