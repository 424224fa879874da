import { deepEqual } from 'node:assert/strict';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  makeDeep,
  makeDevice,
  makeFifo,
  makeSocket,
  startSwapping,
} from '../../../../test/support/hostile-files.js';
import { startTestWorkspaces, type TestWorkspaces } from '../../../../test/support/test-workspaces.js';
import { removeTree } from './remove-tree.js';

const input = (path: string, content = 'given') => ({ path, content: Buffer.from(content) });
const isRoot = process.getuid?.() === 0;

/** sandbox-security.md sections 5 and 6, rows 48, 53 and 93: what a run can leave in its folder on purpose. */
describe('a hostile workspace', () => {
  let test: TestWorkspaces;
  let outside: string;
  let stopSwapping: (() => Promise<void>) | undefined;

  beforeEach(async () => {
    test = await startTestWorkspaces();
    outside = await mkdtemp(join(tmpdir(), 'outside-'));
    await writeFile(join(outside, 'precious.txt'), 'precious');
  });
  afterEach(async () => {
    await stopSwapping?.();
    const left = await Promise.all(
      (await readdir(outside)).map((name) => readFile(join(outside, name), 'utf8')),
    );
    deepEqual(left, ['precious']);
    await rm(outside, { recursive: true });
    await removeTree(test.blobDir);
    await test.stop();
  });

  const skippedOf = ({ skipped }: { skipped: { reason: string; count: number }[] }) =>
    Object.fromEntries(skipped.map(({ reason, count }) => [reason, count]));

  describe('when it is collected', () => {
    it('gives no links, FIFOs, sockets and devices, waits for none, and follows none', async () => {
      const workspace = await test.prepare();
      const inside = (name: string) => join(workspace.dir, name);
      await symlink(join(outside, 'precious.txt'), inside('file-link'));
      await symlink(outside, inside('folder-link'));
      await symlink('loop', inside('loop'));
      await makeFifo(inside('fifo'));
      if (isRoot) await makeDevice(inside('zero'));
      const server = await makeSocket(inside('s'));
      await writeFile(inside('plain.txt'), 'x');
      const collection = await workspace.collect();
      expect(collection.artifacts.map(({ path }) => path)).toEqual(['plain.txt']);
      expect(skippedOf(collection)).toEqual({ special_file: isRoot ? 6 : 5 });
      server.close();
      await workspace.release();
    });

    it('leaves out names that no address, header or archive should carry, and says how many', async () => {
      const workspace = await test.prepare();
      const names = ['line\nbreak', 'back\\slash', 'c:drive', '\u202egpj.exe', 'bell\u0007', 'esc\u001b[2J'];
      const raw = [Buffer.from([0x66, 0xff, 0xfe]), Buffer.from([0xed, 0xa0, 0x80])];
      const inside = (name: Buffer) => Buffer.concat([Buffer.from(`${workspace.dir}/`), name]);
      for (const name of [...names.map((text) => Buffer.from(text)), ...raw])
        await writeFile(inside(name), 'x');
      await mkdir(inside(Buffer.from('new\nline')));
      await writeFile(inside(Buffer.from('new\nline/in-it.txt')), 'x');
      for (const name of ['CON', 'dot.', ' space ', '-rf', '%2e%2e', 'ä ö.txt', '😀', '...']) {
        await writeFile(join(workspace.dir, name), 'x');
      }
      const collection = await workspace.collect();
      expect(collection.artifacts.map(({ path }) => path).toSorted()).toEqual(
        ['CON', 'dot.', ' space ', '-rf', '%2e%2e', 'ä ö.txt', '😀', '...'].toSorted(),
      );
      expect(skippedOf(collection)).toEqual({ unusable_name: 9 });
      await workspace.release();
    });

    it('reads nothing of a 10 GB file', async () => {
      const workspace = await test.prepare();
      const sparse = await open(join(workspace.dir, 'huge'), 'w');
      await sparse.truncate(10 * 1024 ** 3);
      await sparse.close();
      const collection = await workspace.collect();
      expect([collection.artifacts, skippedOf(collection)]).toEqual([[], { too_large: 1 }]);
      expect(await readdir(test.blobDir)).toEqual(['scratch']);
      await workspace.release();
    });

    it('goes 64 levels down and no further, and is removed with all of its 5,000', async () => {
      const workspace = await test.prepare();
      await makeDeep(workspace.dir, 5_000);
      const [top] = await readdir(workspace.dir);
      await writeFile(join(workspace.dir, top!, 'near.txt'), 'x');
      const collection = await workspace.collect();
      expect(collection.artifacts.map(({ path }) => path)).toEqual([`${top}/near.txt`]);
      expect(skippedOf(collection)).toEqual({ too_deep: 1 });
      await workspace.release();
      expect(await readdir(join(test.blobDir, 'scratch'))).toEqual([]);
    });

    it('does not go into .git and node_modules, and says so', async () => {
      const workspace = await test.prepare();
      for (const folder of ['.git/objects', 'packages/a/node_modules/b', 'src/.git']) {
        await mkdir(join(workspace.dir, folder), { recursive: true });
        await writeFile(join(workspace.dir, folder, 'x'), 'x');
      }
      await writeFile(join(workspace.dir, 'src/x'), 'x');
      const collection = await workspace.collect();
      expect(collection.artifacts.map(({ path }) => path)).toEqual(['src/x']);
      expect(skippedOf(collection)).toEqual({ internal_folder: 3 });
      await workspace.release();
    });

    it('row 48: is not looked for where a link has taken its place, and not removed there', async () => {
      const replaced = await test.prepare();
      await rename(replaced.dir, `${replaced.dir}.away`);
      await symlink(outside, replaced.dir);
      expect((await replaced.collect()).artifacts).toEqual([]);
      await replaced.release();
      await expect(lstat(replaced.dir)).rejects.toThrow('ENOENT');

      const removed = await test.prepare();
      await rm(removed.dir, { recursive: true });
      expect((await removed.collect()).artifacts).toEqual([]);
      await removed.release();
    });

    it('gives nothing from outside while a folder and a link are swapped under it', async () => {
      const workspace = await test.prepare();
      stopSwapping = await startSwapping(workspace.dir, 'sub', outside);
      await writeFile(join(workspace.dir, 'plain.txt'), 'x');
      for (let round = 0; round < 100; round += 1) {
        const paths = (await workspace.collect()).artifacts.map(({ path }) => path);
        expect(paths.filter((path) => path !== 'plain.txt')).toEqual([]);
      }
      await stopSwapping?.();
      await workspace.release();
    }, 60_000);
  });

  describe('when files are put into it', () => {
    /** Leaves something in the project's workspace, then starts a task there that brings files along. */
    async function prepareAfter(
      leave: (dir: string) => Promise<unknown>,
      ...files: ReturnType<typeof input>[]
    ) {
      const first = await test.prepare({ workspace: 'w' });
      await leave(first.dir);
      await first.release();
      return test.prepare({ workspace: 'w', files });
    }

    it.each<[string, (dir: string) => Promise<unknown>, string]>([
      ['a link to a file', (dir) => symlink(join(outside, 'precious.txt'), join(dir, 'a')), 'a'],
      ['a link to nowhere', (dir) => symlink(join(outside, 'made.txt'), join(dir, 'a')), 'a'],
      ['a FIFO', (dir) => makeFifo(join(dir, 'a')), 'a'],
      ['a link to a folder', (dir) => symlink(outside, join(dir, 'a')), 'a/precious.txt'],
      ['a link to a folder that is not there', (dir) => symlink(join(outside, 'b'), join(dir, 'a')), 'a/b'],
      ['a FIFO above', (dir) => makeFifo(join(dir, 'a')), 'a/b'],
      ['a file above', (dir) => writeFile(join(dir, 'a'), 'x'), 'a/b'],
      [
        'a link further down',
        async (dir) => {
          await mkdir(join(dir, 'a/b'), { recursive: true });
          await symlink(outside, join(dir, 'a/b/c'));
        },
        'a/b/c/precious.txt',
      ],
    ])('%s gives way to them and is never followed', async (_, leave, path) => {
      const workspace = await prepareAfter(leave, input(path));
      const written = join(workspace.dir, path);
      expect([await readFile(written, 'utf8'), (await lstat(written)).isFile()]).toEqual(['given', true]);
      await workspace.release();
    });

    it('a folder in the place of a file stays, and the task is refused', async () => {
      const prepared = prepareAfter((dir) => mkdir(join(dir, 'a')), input('a'));
      await expect(prepared).rejects.toMatchObject({ code: 'invalid_request', param: 'files' });
    });

    it.each([
      ['..'],
      ['../x'],
      ['a/../../x'],
      ['/etc/x'],
      ['a//b'],
      ['./a'],
      ['a/'],
      [''],
      ['a\nb'],
      ['a\\b'],
      ['\ud800'],
      ['a'.repeat(300)],
      [`${'a'.repeat(300)}/b`],
      ['a/'.repeat(600) + 'b'],
    ])('the path %j is refused', async (path) => {
      await expect(test.prepare({ files: [input(path)] })).rejects.toMatchObject({ code: 'invalid_request' });
      expect(await readdir(join(test.blobDir, 'scratch'))).toEqual([]);
    });

    it.each([[['a', 'a']], [['a', 'a/b']], [['a/b/c', 'a/b']]])('%j contradict each other', async (paths) => {
      const files = paths.map((path) => input(path));
      await expect(test.prepare({ files })).rejects.toMatchObject({ code: 'invalid_request' });
    });

    it('nothing lands outside while a folder and a link are swapped under it', async () => {
      const first = await test.prepare({ workspace: 'w' });
      stopSwapping = await startSwapping(first.dir, 'sub', outside);
      let refused = 0;
      for (let round = 0; round < 300; round += 1) {
        const files = [input('sub/precious.txt', 'overwritten'), input(`sub/${round}.txt`)];
        const workspace = await test.prepare({ workspace: 'w', files }).catch(() => undefined);
        if (!workspace) refused += 1;
        await workspace?.release();
      }
      expect(refused).toBeLessThan(300);
      await stopSwapping?.();
      await first.release();
    }, 60_000);
  });

  it('that cannot be measured takes no further task', async () => {
    const first = await test.prepare({ workspace: 'w' });
    await makeDeep(first.dir, 70);
    await first.release();
    await expect(test.prepare({ workspace: 'w' })).rejects.toMatchObject({ code: 'workspace_full' });
  });

  it('that its owner closed to itself is removed all the same', async () => {
    const workspace = await test.prepare();
    await mkdir(join(workspace.dir, 'a/b/c'), { recursive: true });
    await writeFile(join(workspace.dir, 'a/b/c/d'), 'x');
    for (const folder of ['a/b/c', 'a/b', 'a', '.']) await chmod(join(workspace.dir, folder), 0o000);
    await workspace.release();
    expect(await readdir(join(test.blobDir, 'scratch'))).toEqual([]);
  });
});
